"""Option types that several optimizers or schedules share, with their bounds."""

from typing import Annotated

from pydantic import Field, Strict

LearningRate = Annotated[
    float,
    Field(
        gt=0,
        le=1000,
        description="Step size, at schedule factor 1. Left out, it is what suits the architecture.",
    ),
]

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
