"""Every architecture that is installed, with each of its options: gradients against differences."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from service.catalogue.discovery import discover
from service.domain.problems import Invalid
from service.domain.shapes import ImageShape, Shape, TableShape, TextClassShape, TextShape
from tests.training.exactness.schemas import options_of

ARCHITECTURES = discover().architectures
SHAPES: tuple[Shape, ...] = (
    ImageShape(channels=2, height=4, width=4, classes=3),
    TableShape(numbers=2, categories=(3,), outputs=2),
    TextShape(vocabulary_size=5),
    TextClassShape(vocabulary_size=5, classes=3),
)
TRIED: Mapping[str, list[JsonValue]] = {
    "dropout": [0.0],
    "heads": [2],
    "initialization": ["default"],  # weights are drawn anew
    "width": [8],
}
OF_ITS_OWN = "step"  # an activation whose gradient is made up, as its values have none


def _cases() -> Iterator[Any]:
    """List an architecture, a shape and options: all as they are plainest, but one."""
    for name, architecture in ARCHITECTURES.items():
        tried = {
            option: TRIED.get(option, [value for value in values if value != OF_ITS_OWN])
            for option, values in options_of(architecture.config.model_json_schema()).items()
        }
        plain = {option: _plainest(values) for option, values in tried.items()}
        for shape in (shape for shape in SHAPES if shape.kind in architecture.fits):
            yield pytest.param(name, shape, plain, id=f"{name}-{shape.kind}")
            for option, values in tried.items():
                for value in (value for value in values if value != plain[option]):
                    options = {**plain, option: value}
                    if _goes_together(name, shape, options):
                        words = f"{name}-{shape.kind}-{option}-{value}"
                        yield pytest.param(name, shape, options, id=words)


def _plainest(values: list[JsonValue]) -> JsonValue:
    """Choose the least number, the longest list, or what comes first."""
    numbers = [value for value in values if type(value) is int]
    lists = [value for value in values if isinstance(value, list)]
    return min(numbers) if numbers else max(lists, key=len) if lists else values[0]


def _goes_together(name: str, shape: Shape, options: dict[str, JsonValue]) -> bool:
    try:
        _build(name, shape, options)
    except Invalid:
        return False
    return True


def _build(name: str, shape: Shape, options: dict[str, JsonValue]) -> nn.Module:
    architecture = ARCHITECTURES[name]
    config = architecture.config.model_validate_json(json.dumps(options))
    return architecture.build(config, shape)


@pytest.mark.parametrize(("name", "shape", "options"), [*_cases()])
def test_gradients_are_those_of_finite_differences(
    name: str, shape: Shape, options: dict[str, JsonValue]
) -> None:
    torch.manual_seed(0)
    model = _build(name, shape, options).double()
    for parameter in model.parameters():  # zeros would hide what is behind them
        nn.init.normal_(parameter, std=0.5)
    names = [key for key, _ in model.named_parameters()]
    inputs = _inputs(shape, model)

    def outputs(*values: Tensor) -> Tensor:
        parameters = dict(zip(names, values, strict=True))
        found: Any = torch.func.functional_call(model, parameters, inputs)
        return found[0] if shape.kind == "text" else found

    assert torch.autograd.gradcheck(outputs, tuple(model.parameters()), fast_mode=True)


def _inputs(shape: Shape, model: Any) -> tuple[Tensor, ...]:
    tokens = torch.tensor([[2, 4, 3], [3, 1, 1]])
    match shape:
        case ImageShape():
            return (torch.randn(2, shape.channels, shape.height, shape.width).double(),)
        case TableShape():
            return (torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.3, 0.0]]).double(),)
        case TextShape():
            return tokens, model.initial_state(2)
        case TextClassShape():
            return (tokens,)
