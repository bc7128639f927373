"""From a zip to a model that can be served: every promise of `config.json` is looked after."""

# pyright: reportUnknownVariableType=false
# safetensors leaves file names partly untyped.

import hashlib
import math
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import BinaryIO, NamedTuple, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from service.catalogue import Catalogue
from service.domain.bundles import BundleConfig
from service.domain.problems import Invalid, invalid_field, known_names
from service.domain.text import clean
from service.domain.validation import below, refuse_crowds, to_invalid
from service.prediction.bundles.contents import CONFIG, PREPARATION, WEIGHTS
from service.prediction.bundles.preparations import (
    MOST_PARTS,
    PREPARATIONS,
    longest_text,
    most_brackets,
    names_of,
)
from service.prediction.bundles.turns import alone
from service.prediction.bundles.unpacking import Unpacked, pointer_of, unpack

ModelT = TypeVar("ModelT", bound=BaseModel)

MOST_CONFIG_BYTES = 1 << 20

PATIENCE_SECONDS = 60
"""How long an import waits until its preparation is read."""

_preparing = Lock()
"""Checking a preparation of 64 MiB can take more than a GiB of memory."""

_MOST_FIELDS = 1000
_MOST_NAMED = 5
_LARGEST = 2**63 - 1
_HEADER_BYTES = 1 << 20
_HEADER_BYTES_A_TENSOR = 1 << 10


class Checked(NamedTuple):
    """A model that can be served, and its bytes. The weights are in a file that vanishes."""

    config: BundleConfig
    preparation: bytes
    weights: BinaryIO
    weights_bytes: int


@contextmanager
def checked(content: BinaryIO, catalogue: Catalogue, *, max_bytes: int) -> Generator[Checked]:
    """Read a bundle. Raises Invalid, with pointers below /file, for all that cannot be served."""
    files = unpack(content, max_bytes=max_bytes)
    config = _config_of(files)
    with alone(_preparing, patience_seconds=PATIENCE_SECONDS):
        preparation = files.read(PREPARATION)
        if hashlib.sha256(preparation).hexdigest() != config.preparation_sha256:
            raise _wrong_hash(PREPARATION, "preparation_sha256")
        model = _sized(config, preparation, catalogue)
    with tempfile.NamedTemporaryFile() as weights:
        _take_weights(files, model, config, cast("BinaryIO", weights))
        served = config.model_copy(
            update={
                "architecture": catalogue.builder(config.architecture).shortest,
                "parameters": sum(each.numel() for each in model.parameters()),
            }
        )
        size = files.size(WEIGHTS)
        yield Checked(served, preparation, cast("BinaryIO", weights), size)


def _config_of(files: Unpacked) -> BundleConfig:
    """Read `config.json`. Raises Invalid."""
    config = _read(files.read(CONFIG, at_most=MOST_CONFIG_BYTES), BundleConfig, CONFIG)
    for value in _values(config.model_dump(), CONFIG):  # numbers may have come as texts: "NaN"
        _refuse_unstorable(value, CONFIG)
    return config


def _read(raw: bytes, model: type[ModelT], name: str) -> ModelT:
    """Read a file as `model`. Raises Invalid for each wrong field, but few of a crowd."""
    _refuse_many_parts(raw, most_brackets(model), name)
    try:
        body: object = from_json(raw, allow_inf_nan=False)
    except ValueError:
        raise invalid_field(pointer_of(name), "is no JSON in UTF-8") from None
    for value in _values(body, name):
        _refuse_unstorable(value, name)
    if name == CONFIG:  # of the lists in a preparation no item is looked at behind a wrong one
        with below(pointer_of(name)):
            refuse_crowds(model, body)
    strict = True if name == PREPARATION else None  # columns are shared with what we believe
    try:
        return model.model_validate_json(raw, strict=strict)
    except ValidationError as error:
        raise to_invalid(error, body, prefix=pointer_of(name), model=model) from None


def _refuse_many_parts(raw: bytes, most: int, name: str) -> None:
    """Raise Invalid for what would be far longer in memory than it is written, before it is."""
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > most:
        raise invalid_field(pointer_of(name), f"has more than {most:,} lists and objects")
    if brackets + raw.count(b",") > MOST_PARTS:
        raise invalid_field(pointer_of(name), f"has more than {MOST_PARTS:,} commas and brackets")


def _values(body: object, name: str) -> Iterator[object]:
    """Give all strings and numbers, names of fields too. Raises Invalid for a crowd of fields."""
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            inner = cast("dict[object, object]", value)
            if len(inner) > _MOST_FIELDS:
                detail = f"has an object with more than {_MOST_FIELDS:,} fields"
                raise invalid_field(pointer_of(name), detail)
            waiting += [*inner.keys(), *inner.values()]
        elif isinstance(value, list | tuple):
            waiting += cast("Sequence[object]", value)
        else:
            yield value


def _refuse_unstorable(value: object, name: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid_field(pointer_of(name), "holds a number that is not finite")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise invalid_field(pointer_of(name), "holds a number of more than 64 bits")
    if isinstance(value, str):
        try:
            clean(value)
        except ValueError as error:
            raise invalid_field(pointer_of(name), str(error)) from None


def _sized(config: BundleConfig, preparation: bytes, catalogue: Catalogue) -> nn.Module:
    """Build the network without its weights. Raises Invalid where the files do not fit."""
    calibration = config.evaluation.calibration if config.evaluation else None
    if calibration is not None and calibration.temperature <= 0:
        at = "/evaluation/calibration/temperature"
        raise invalid_field(pointer_of(CONFIG) + at, "must be greater than 0")
    if config.task not in PREPARATIONS:
        detail = f"is no task whose models can be brought in; {known_names(PREPARATIONS, near='')}"
        raise invalid_field(f"{pointer_of(CONFIG)}/task", detail)
    read = _read(preparation, PREPARATIONS[config.task], PREPARATION)
    if catalogue.restore(config.task, preparation).shape != config.shape:
        detail = f"is not the shape that {PREPARATION} makes"
        raise invalid_field(f"{pointer_of(CONFIG)}/shape", detail)
    with below(pointer_of(CONFIG)):  # by now the shape is one that data can have
        model = catalogue.sizes(config.architecture, config.shape, config.task)
    longest, context = longest_text(read), getattr(model, "context", None)
    if longest is not None and context is not None and longest > context:
        detail = f"is beyond the context of the network, {context}"
        raise invalid_field(f"{pointer_of(PREPARATION)}/sequence_length", detail)
    if len({*names_of(read)}) != len(names_of(read)):
        raise invalid_field(f"{pointer_of(PREPARATION)}/classes", "hold a name twice")
    return model


def _take_weights(files: Unpacked, model: nn.Module, config: BundleConfig, into: BinaryIO) -> None:
    """Copy and compare the weights. Raises Invalid."""
    wanted: Mapping[str, Tensor] = model.state_dict()
    bytes_of_all = sum(each.numel() * each.element_size() for each in wanted.values())
    most = bytes_of_all + _HEADER_BYTES + _HEADER_BYTES_A_TENSOR * len(wanted)
    if files.size(WEIGHTS) > most:
        detail = f"is too long: the weights of this network are {bytes_of_all:,} bytes"
        raise invalid_field(pointer_of(WEIGHTS), detail)
    if files.copy(WEIGHTS, into) != config.weights_sha256:
        raise _wrong_hash(WEIGHTS, "weights_sha256")
    into.flush()
    try:
        found: dict[str, Tensor] = load_file(into.name)
    except (SafetensorError, OSError, ValueError, KeyError):
        raise invalid_field(pointer_of(WEIGHTS), "is no safetensors file") from None
    _compare(found, wanted)


def _compare(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    if missing := [name for name in wanted if name not in found]:
        named = ", ".join(missing[:_MOST_NAMED])
        raise invalid_field(pointer_of(WEIGHTS), f"lacks {len(missing)} tensors: {named}")
    if len(found) > len(wanted):
        detail = f"holds {len(found) - len(wanted)} tensors that the network does not have"
        raise invalid_field(pointer_of(WEIGHTS), detail)
    for name, tensor in wanted.items():
        _compare_one(name, found[name], tensor)


def _compare_one(name: str, found: Tensor, wanted: Tensor) -> None:
    """Raise Invalid where a tensor is not as the network has it, or has values that are none."""
    if found.shape != wanted.shape:
        sizes = f"{[*found.shape]} where the network has {[*wanted.shape]}"
        raise invalid_field(pointer_of(WEIGHTS), f"has {name} of {sizes}")
    if found.dtype != wanted.dtype:
        kinds = f"{found.dtype} where the network has {wanted.dtype}"
        raise invalid_field(pointer_of(WEIGHTS), f"has {name} as {kinds}")
    if found.is_floating_point() and not found.isfinite().all():
        raise invalid_field(pointer_of(WEIGHTS), f"has values in {name} that are not finite")


def _wrong_hash(name: str, field: str) -> Invalid:
    detail = f"is not the file whose SHA-256 {CONFIG} tells as {field}; send the zip as it came"
    return invalid_field(pointer_of(name), detail)
