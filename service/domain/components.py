"""Parts of a job that are chosen by name: architecture, optimizer, schedule.

The domain knows a component only as `{type, …options}`; the catalogue knows which are installed and
what their options mean.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.domain.base import Outgoing, resolved_options
from service.domain.text import ShortText

ComponentKind = Literal["architecture", "optimizer", "schedule", "task"]


class Component(BaseModel, frozen=True):
    """A chosen component: its type and whatever options it has."""

    model_config = ConfigDict(extra="allow")

    type: ShortText

    def options(self) -> dict[str, JsonValue]:
        """Return type and options as JSON, as the component's own config class reads them."""
        return self.model_dump(mode="json")

    @classmethod
    def of(cls, config: BaseModel) -> Self:
        """Make the plain form of a component's own config."""
        return cls.model_validate(resolved_options(config))


class ComponentConfig(Component, frozen=True):
    """The base of every component's own config: strict, with no field it does not know."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )


class ComponentInfo(Outgoing):
    """One installed component, as `GET /v1/architectures`, `/v1/optimizers`, … show it."""

    object: Literal["component"] = "component"
    kind: ComponentKind
    type: str
    summary: str
    fits: list[str] = Field(description="For which data (`text`, `images`); empty: for all.")
    defaults: dict[str, JsonValue]
    json_schema: dict[str, JsonValue]


class ComponentList(Outgoing):
    """All installed components of one kind."""

    object: Literal["list"] = "list"
    data: list[ComponentInfo]
