"""Recipes: jobs worth starting as they are, with what came out of them where they were measured."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue

from service.domain.base import Outgoing
from service.domain.findings import FindingCode


class Expected(Outgoing):
    """What a recipe comes to. Where a learning rate is the lesson, that may be a failure."""

    status: Literal["succeeded", "failed"] = "succeeded"
    error: str | None = Field(
        default=None, description="The code of the error of a job that shall fail."
    )
    metrics: dict[str, float] = Field(
        default={}, description="Of the best checkpoint, as they were measured."
    )
    tolerance: float = Field(
        default=0.0, description="Other machines come so near to each metric, as a part of it."
    )
    findings: list[FindingCode] = Field(
        default=[], description="What the doctor finds, in any order; a healthy job has nothing."
    )

    def agrees(self, reached: Mapping[str, float | None]) -> bool:
        """Tell whether a job that reached these metrics came to what is expected."""
        return all(
            abs((reached.get(name) or 0.0) - value) <= self.tolerance * abs(value)
            for name, value in self.metrics.items()
        )


class Recipe(Outgoing):
    """One worked example."""

    object: Literal["recipe"] = "recipe"
    name: str
    title: str
    about: str = Field(description="What it shows, and what to look at. Markdown.")
    request: dict[str, JsonValue] = Field(description="The body of `POST /v1/jobs`.")
    expected: Expected
    compare: list[str] = Field(default=[], description="Recipes to look at beside this one.")


class RecipeList(Outgoing):
    """All recipes, in the order in which a course would take them."""

    object: Literal["list"] = "list"
    data: list[Recipe]
