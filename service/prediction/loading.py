"""A network with its weights, ready to be asked."""

from safetensors.torch import load
from torch import nn

from service.catalogue import Catalogue
from service.domain.models import Servable
from service.domain.shapes import Shape
from service.store import blobs as blob_store
from service.store.engine import Database


def network(
    database: Database, catalogue: Catalogue, servable: Servable, shape: Shape
) -> nn.Module:
    """Build what a model name stands for. Blocks; raises BlobGone."""
    model = catalogue.build_model(servable.architecture, shape)
    model.load_state_dict(load(blob_store.read(database, servable.weights_sha256)))
    return model.eval().requires_grad_(requires_grad=False)
