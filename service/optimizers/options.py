"""Option types that several optimizers or schedules share, with their bounds."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Strict

AUTO: Literal["auto"] = "auto"


def _number_or_auto(value: object) -> object:
    """Tell words what both choices are: of a union pydantic would name one of them."""
    if isinstance(value, str) and value != AUTO and not _is_quoted_number(value):
        message = 'must be a number, or "auto": then a range test picks it'
        raise ValueError(message)
    return value


def _is_quoted_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


Rate = Annotated[float, Field(gt=0, le=1000)]

LearningRate = Annotated[
    Rate | Literal["auto"],
    BeforeValidator(_number_or_auto),
    Field(
        description="Step size, at schedule factor 1. auto: a range test before the first step "
        "picks it; `run.lr` says what it picked. Left out, it is what suits the architecture.",
    ),
]


def picked(lr: LearningRate) -> float:
    """Return a learning rate that is a number. Raises ValueError for one to be picked first."""
    if lr == AUTO:
        message = "a range test must pick lr before an optimizer is built"
        raise ValueError(message)
    return lr


WeightDecay = Annotated[
    float,
    Field(
        ge=0,
        le=100,
        description="Pull towards zero, on matrices only; biases and norms are left alone.",
    ),
]

Epsilon = Annotated[
    float, Field(gt=0, le=1, description="Added to the root that is divided by; avoids 0/0.")
]

Beta = Annotated[float, Strict(), Field(ge=0, lt=1)]

Betas = Annotated[
    tuple[Beta, Beta],
    Strict(False),  # JSON has no tuples; the two numbers themselves are strict
    Field(description="How much of the old first and second moment is kept at each step."),
]

WarmupSteps = Annotated[
    int,
    Field(
        ge=0,
        le=10_000_000,
        description="Steps in which lr rises linearly from near 0; capped at the length of the "
        "training.",
    ),
]
