"""A network as one file of ONNX, for what runs models without PyTorch.

It takes any number of inputs at once, and texts of any length. What was fixed when the data were
prepared is in it, too, as metadata. Needs the extra `onnx`.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import io
import json
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from service.catalogue import Catalogue
from service.domain.problems import Conflict
from service.domain.shapes import TextClassShape, TextShape
from service.prediction.bundles.contents import CONFIG, PREPARATION, Bundle, example_of, loaded
from service.prediction.bundles.program import Answer, way_of
from service.prediction.bundles.turns import alone
from service.store.engine import Database

OPSET = 17
MOST_BYTES = 1 << 30
"""A file of ONNX with its weights in it has at most 2 GiB."""

_PIECE = 1 << 20

PATIENCE_SECONDS = 60
"""How long a download waits for its turn."""

_exporting = Lock()
"""The exporter keeps what it does in globals; and one has its weights in memory four times."""


class OnnxNotInstalled(Conflict):
    """The extra is missing."""

    code = "onnx_not_installed"
    title = "ONNX is not installed"

    def __init__(self) -> None:
        super().__init__(
            "This service cannot write ONNX. Its operator installs that with "
            "`pip install 'trainyard[onnx]'`; the zip needs nothing."
        )


class ModelNotExportable(Conflict):
    """The network cannot be a file of ONNX."""

    code = "model_not_exportable"
    title = "The model cannot be written as ONNX"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The model cannot be written as ONNX: {reason}. Download it as a zip.")


class Asked(nn.Module):
    """A network with what comes before and behind it: what `model.py` does with inputs."""

    def __init__(self, model: nn.Module, answer: Answer, preparation: dict[str, Any]) -> None:
        super().__init__()
        self.model = model
        self._answer = answer
        self._preparation = preparation

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, or values in their unit."""
        return self._answer(self.model, inputs, self._preparation)


class Written(NamedTuple):
    """A file, at its beginning, and its size in bytes."""

    file: IO[bytes]
    size: int

    def pieces(self) -> Iterator[bytes]:
        """Read it to its end, and let it go."""
        with self.file as file:
            while piece := file.read(_PIECE):
                yield piece


def check(bundle: Bundle) -> None:
    """Raise OnnxNotInstalled and ModelNotExportable."""
    if find_spec("onnx") is None:
        raise OnnxNotInstalled
    if bundle.servable.weights_bytes > MOST_BYTES:
        raise ModelNotExportable(f"its weights are more than {MOST_BYTES >> 20} MiB")


def onnx_file(database: Database, catalogue: Catalogue, bundle: Bundle) -> Written:
    """Write the file. Raises OnnxNotInstalled, ModelNotExportable, BlobGone, and Busy.

    One at a time; it is on the disk when another's turn comes, however slowly it is fetched.
    """
    check(bundle)
    preparation = bundle.small[PREPARATION]
    metadata = {"config": bundle.small[CONFIG].decode(), "preparation": preparation.decode()}
    reads_texts = isinstance(bundle.task.shape, TextShape | TextClassShape)
    with alone(_exporting, patience_seconds=PATIENCE_SECONDS):
        model = loaded(database, catalogue, bundle)
        asked = Asked(model, way_of(bundle.servable.task).answer, json.loads(preparation)).eval()
        content = exported(asked, example_of(bundle, model), metadata, reads_texts=reads_texts)
        file = TemporaryFile()  # noqa: SIM115  whoever sends it closes it
        file.write(content)
        file.seek(0)
    return Written(file, len(content))


def exported(
    asked: nn.Module, inputs: Tensor, metadata: dict[str, str], *, reads_texts: bool
) -> bytes:
    """Write a network that takes `inputs` and any number of such; of texts any length.

    For one thread at a time. Raises ModelNotExportable where it does what ONNX has no words for.
    """
    import onnx  # noqa: PLC0415  an optional dependency
    from torch.onnx import OnnxExporterError  # noqa: PLC0415  many modules that few servers need

    axes = {"inputs": {0: "batch"}, "outputs": {0: "batch"}}
    if reads_texts:
        axes["inputs"][1] = "time"
    content = io.BytesIO()
    export = cast("Any", torch.onnx).export  # its types forget that the older one takes a buffer
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of every size that it takes for constant
        try:
            # The other exporter needs more to be installed, and much longer (torch 2.13).
            export(
                asked,
                (inputs,),
                content,
                input_names=["inputs"],
                output_names=["outputs"],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        except OnnxExporterError:
            raise ModelNotExportable("a step of it is unknown there") from None
    model = onnx.load_model_from_string(content.getvalue())
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(model, metadata)
    return model.SerializeToString(deterministic=True)
