"""Finding components: the modules of our packages, then the entry points of other people's.

Nothing registers itself: a module is asked what it offers, so the order of imports means nothing.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, TypeVar

from pydantic import BaseModel

import service.architectures
import service.optimizers
import service.tasks
from service.architectures.base import Architecture
from service.optimizers.base import OptimizerKind, ScheduleKind
from service.tasks.base import TaskKind

KindT = TypeVar("KindT")


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Every installed component by its type, sorted."""

    architectures: dict[str, Architecture[Any]]
    optimizers: dict[str, OptimizerKind[Any]]
    schedules: dict[str, ScheduleKind[Any]]
    tasks: dict[str, TaskKind[Any]]


def discover() -> Installed:
    """Import and collect all components. Raises ValueError where two claim the same type."""
    optimizers = _sources(service.optimizers, "trainyard.optimizers")
    return Installed(
        architectures=_collect(
            Architecture, _sources(service.architectures, "trainyard.architectures"), _config_type
        ),
        optimizers=_collect(OptimizerKind, optimizers, _config_type),
        schedules=_collect(ScheduleKind, optimizers, _config_type),
        tasks=_collect(TaskKind, _sources(service.tasks, "trainyard.tasks"), _task_name),
    )


def _sources(package: ModuleType, group: str) -> list[object]:
    """List our modules and what other packages' entry points lead to: a module or a component."""
    modules: list[object] = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    return [*modules, *(entry.load() for entry in entry_points(group=group))]


def _collect(
    kind: type[KindT], sources: Iterable[object], name_of: Callable[[Any], str]
) -> dict[str, KindT]:
    found: dict[str, KindT] = {}
    for source in sources:
        for component in _offers(kind, source):
            name = name_of(component)
            if found.setdefault(name, component) is not component:
                message = f"two installed components are called {name!r}; uninstall one"
                raise ValueError(message)
    return dict(sorted(found.items()))


def _offers(kind: type[KindT], source: object) -> Iterator[KindT]:
    offered = [source, *vars(source).values()] if isinstance(source, ModuleType) else [source]
    yield from (thing for thing in offered if isinstance(thing, kind))


def _task_name(task: TaskKind[Any]) -> str:
    return task.name


def _config_type(component: Any) -> str:
    config: type[BaseModel] = component.config
    return str(config.model_fields["type"].default)
