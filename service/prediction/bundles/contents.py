"""What is in a bundle: the files that make a model work anywhere, with plain PyTorch.

A version has the same bytes whenever it is asked for, as long as no more and no less is known of
it: its description changes, and its job may be deleted.
"""

# pyright: reportUnknownMemberType=false
# torch leaves tolist untyped.

import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple, cast

from torch import Tensor, nn

from service.catalogue import Catalogue
from service.domain.bundles import BundleConfig, Origin
from service.domain.models import Servable
from service.keeping import Kept
from service.prediction.bundles.archive import File
from service.prediction.bundles.program import program, way_of
from service.prediction.bundles.readme import readme
from service.prediction.example_inputs import example_inputs
from service.prediction.loading import network
from service.store import blobs as blob_store
from service.store.engine import Database
from service.store.exports import Exported, get_exported
from service.tasks.base import Task, bare

WEIGHTS, CONFIG, PREPARATION = "model.safetensors", "config.json", "preparation.json"


_examples = Kept()
_making = threading.Lock()


class Bundle(NamedTuple):
    """All of a bundle but what takes long to read and to make: the weights and the example."""

    servable: Servable
    config: BundleConfig
    task: Task
    small: dict[str, bytes]

    @property
    def tag(self) -> str:
        """What changes when, and only when, a file does: the example follows from the others."""
        digest = hashlib.sha256()
        for name, content in self.small.items():
            digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
        return digest.hexdigest()

    @property
    def name(self) -> str:
        """What the file of the bundle is called, without its ending."""
        origin = self.config.origin
        return origin.id if origin.model is None else f"{origin.model}-{origin.version}"


def describe(database: Database, catalogue: Catalogue, reference: str) -> Bundle:
    """Gather what is known of a model.

    Raises ModelNotFound, ModelNotReady, ModelNeverTrained, ModelNotPortable, and BlobGone.
    """
    with database.read() as session:
        exported = get_exported(session, reference)
    servable = exported.servable
    preparation = blob_store.read(database, servable.preparation_sha256)
    way_of(servable.task)
    task = catalogue.restore(servable.task, preparation)
    parameters = catalogue.count_parameters(servable.task, servable.architecture, preparation)
    builder = catalogue.builder(servable.architecture)
    config = BundleConfig(
        task=servable.task,
        architecture=builder.options,
        shape=task.shape,
        dataset=servable.dataset,
        origin=_origin(exported),
        parameters=parameters,
        metrics=exported.metrics,
        baseline=exported.baseline,
        evaluation=exported.evaluation,
        weights_sha256=servable.weights_sha256,
        preparation_sha256=servable.preparation_sha256,
    )
    written = program(builder.build, type(task.shape), servable.task)
    about = readme(config, exported.card, _tokenizer(servable.task, preparation))
    small = {
        "README.md": about.encode(),
        CONFIG: config.model_dump_json(indent=2).encode() + b"\n",
        PREPARATION: preparation,
        "model.py": written.encode(),
    }
    return Bundle(servable, config, task, small)


def files(database: Database, catalogue: Catalogue, bundle: Bundle) -> list[File]:
    """Give all files, the weights last and piece by piece. Raises BlobGone."""
    small = {**bundle.small, "example.json": _example(database, catalogue, bundle)}
    servable = bundle.servable
    return [
        *(File(name, len(content), [content]) for name, content in small.items()),
        File(WEIGHTS, servable.weights_bytes, _weights(database, servable.weights_sha256)),
    ]


def loaded(database: Database, catalogue: Catalogue, bundle: Bundle) -> nn.Module:
    """Build the network with its weights, as the bundle does. Raises BlobGone."""
    return network(database, catalogue, bundle.servable, bundle.task.shape)


def example_of(bundle: Bundle, model: nn.Module) -> Tensor:
    """Make inputs that a bundle's network can be tried with."""
    return example_inputs(bundle.task.shape, model, _longest(bundle.small[PREPARATION]))


def _weights(database: Database, sha256: str) -> Iterator[bytes]:
    for piece in blob_store.stream(database, sha256):
        yield bytes(piece)


def _example(database: Database, catalogue: Catalogue, bundle: Bundle) -> bytes:
    """Return the example that is kept, or make it: one at a time, for each takes all weights."""
    with _making:
        return _examples.get(bundle.tag, partial(_new_example, database, catalogue, bundle))


def _new_example(database: Database, catalogue: Catalogue, bundle: Bundle) -> bytes:
    """Ask the network something, as the service itself would."""
    model = loaded(database, catalogue, bundle)
    inputs = example_of(bundle, model)
    outputs = bundle.task.infer(model, bare(inputs))
    example: dict[str, Any] = {
        "dtype": str(inputs.dtype).removeprefix("torch."),
        "inputs": inputs.tolist(),
        "outputs": _rounded(outputs.tolist()),
    }
    return json.dumps(example).encode() + b"\n"


def _rounded(outputs: Any) -> Any:
    """Leave six digits: the last ones are those of a processor and its threads."""
    if isinstance(outputs, list):
        return [_rounded(each) for each in cast("list[Any]", outputs)]
    return float(f"{outputs:.6g}")


def _origin(exported: Exported) -> Origin:
    servable = exported.servable
    named = servable.version is not None
    return Origin(
        id=exported.id,
        model=servable.model if named else None,
        version=servable.version,
        dataset_sha256=exported.dataset_sha256,
        trainyard=version("trainyard"),
    )


def _tokenizer(task: str, preparation: bytes) -> str | None:
    """Name what cuts the texts of a task; None: it reads none."""
    if task not in {"next_word", "text_classification"}:
        return None
    kept: dict[str, Any] = json.loads(preparation)
    return kept.get("tokenizer", {"name": "word"})["name"]


def _longest(preparation: bytes) -> int | None:
    kept: dict[str, Any] = json.loads(preparation)
    return kept.get("sequence_length")
