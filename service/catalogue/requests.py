"""The typed body of `POST /v1/jobs`: unions over what is installed, made once at start."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Union, cast

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, JsonValue, create_model
from pydantic.annotated_handlers import GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from service.catalogue.discovery import Installed
from service.domain.components import ComponentConfig
from service.domain.requests import DatasetChoice, JobRequest


class BareName:
    """Marks a field that takes a bare string for "this one, with its defaults"."""

    def __init__(self, key: str, names: Sequence[str] | None) -> None:
        self._key = key
        self._names = names

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Read a string as an object with one member."""
        return core_schema.no_info_before_validator_function(self._expand, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Show both forms."""
        bare: JsonSchemaValue = {"type": "string", "description": "With its defaults."}
        if self._names is not None:
            bare["enum"] = list(self._names)
        return {"anyOf": [bare, handler(schema)]}

    def _expand(self, value: object) -> object:
        return {self._key: value} if isinstance(value, str) else value


class _TypedDataset(DatasetChoice):
    """The dataset of a job, with the options of its task."""

    model_config = ConfigDict(extra="forbid")


def job_request_model(installed: Installed) -> type[JobRequest]:
    """Make the request model for these components; unknown types and fields are refused."""
    architectures = {name: kind.config for name, kind in installed.architectures.items()}
    optimizers = {name: kind.config for name, kind in installed.optimizers.items()}
    schedules = {name: kind.config for name, kind in installed.schedules.items()}
    examples: JsonValue = [kind.example for kind in installed.architectures.values()]
    fields: dict[str, Any] = {
        "dataset": (Annotated[_dataset_model(installed), BareName("name", None)], ...),
        "architecture": (_union(architectures), ...),
        "optimizer": (_union(optimizers) | None, _again("optimizer")),
        "schedule": (_union(schedules) | None, _again("schedule")),
    }
    typed = create_model("JobRequest", __base__=JobRequest, __doc__=JobRequest.__doc__, **fields)
    typed.model_config["json_schema_extra"] = {"examples": examples}
    typed.model_rebuild(force=True)
    return typed


def _again(field: str) -> Any:
    return Field(default=None, description=JobRequest.model_fields[field].description)


def _union(configs: dict[str, type[ComponentConfig]]) -> Any:
    members: Any = tuple(configs.values())
    # A union of one is no union, and has no discriminator.
    chosen = (
        Annotated[Union[members], Field(discriminator="type")]  # noqa: UP007  built at run time
        if len(members) > 1
        else members[0]
    )
    return Annotated[chosen, BareName("type", list(configs))]


def _dataset_model(installed: Installed) -> type[DatasetChoice]:
    """Type the options of all tasks as optional fields; `resolve` tells which task has which."""
    names: Any = tuple(installed.tasks)
    choice: Any = Literal[names]
    task_field: Any = Field(
        default=None, description=DatasetChoice.model_fields["task"].description
    )
    fields: dict[str, Any] = {"task": (choice | None, task_field)} if names else {}
    for task in installed.tasks.values():
        for name, option in task.options.model_fields.items():
            fields.setdefault(name, _optional(option, task.name))
    model = create_model("DatasetRequest", __base__=_TypedDataset, __doc__=None, **fields)
    return cast("type[DatasetChoice]", model)


def _optional(option: FieldInfo, task: str) -> tuple[Any, Any]:
    metadata: Iterable[Any] = option.metadata
    annotation: Any = option.annotation
    for constraint in metadata:
        annotation = Annotated[annotation, constraint]
    description = f"For {task}: {option.description or option.title or 'see /v1/tasks'}"
    return annotation | None, Field(default=None, description=description)
