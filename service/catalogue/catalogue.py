"""The catalogue: one object that knows all components, made once per process."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, JsonValue
from torch import nn

from service.catalogue import (
    building,
    forking,
    inheriting,
    initializing,
    planning,
    range_tests,
    resolving,
)
from service.catalogue.building import Trainable
from service.catalogue.discovery import Installed, discover
from service.catalogue.inheriting import Inheritance
from service.catalogue.requests import job_request_model
from service.catalogue.resolving import Builder
from service.datasets.base import Data
from service.domain.components import Component, ComponentInfo, ComponentKind
from service.domain.datasets import DatasetFacts
from service.domain.forks import ForkSource
from service.domain.jobs import Job, JobSpec, Plan
from service.domain.models import Servable
from service.domain.requests import JobRequest
from service.domain.shapes import Shape
from service.domain.validation import below
from service.tasks.base import Prepared, Task

MAX_PARAMETERS = 10**9


class Catalogue:
    """What is installed. Give it other components than the installed ones in a test."""

    def __init__(
        self,
        installed: Installed,
        *,
        max_parameters: int = MAX_PARAMETERS,
        max_memory_bytes: int | None = None,
    ) -> None:
        self._installed = installed
        self._max_parameters = max_parameters
        self._max_memory_bytes = max_memory_bytes
        self.job_request: type[JobRequest] = job_request_model(installed)

    @classmethod
    def installed(
        cls, *, max_parameters: int = MAX_PARAMETERS, max_memory_bytes: int | None = None
    ) -> Self:
        """Find all components of this environment.

        A model beyond `max_parameters` is refused, and a job that could not run in so much memory.
        """
        return cls(discover(), max_parameters=max_parameters, max_memory_bytes=max_memory_bytes)

    def resolve(self, request: JobRequest, facts: DatasetFacts) -> JobSpec:
        """Fill in every default. Raises Invalid with a pointer to what does not go together."""
        spec = resolving.resolve(
            self._installed, request, facts, max_parameters=self._max_parameters
        )
        range_tests.refuse_too_little(self._installed, spec, facts)
        if self._max_memory_bytes is not None:
            planning.refuse_what_cannot_fit(
                self._installed, spec, facts, max_bytes=self._max_memory_bytes
            )
        return spec

    def forked_request(self, parent: Job, patch: Mapping[str, JsonValue]) -> JobRequest:
        """Patch the request of a job. Raises Invalid with pointers below /patch."""
        return forking.patched_request(self.job_request, parent, patch)

    def fork(
        self, source: ForkSource, request: JobRequest, facts: DatasetFacts, preparation: bytes
    ) -> JobSpec:
        """Resolve a forked request, and decide what it keeps of the checkpoint's state.

        `preparation` is that of the checkpoint's task. Raises Invalid with pointers below /patch.
        """
        with below("/patch"):
            spec = self.resolve(request, facts)
        return forking.fork(self._installed, spec, facts, source, preparation)

    def initialize(
        self,
        spec: JobSpec,
        facts: DatasetFacts,
        reference: str,
        model: Servable,
        preparation: bytes,
        state_sha256: str,
    ) -> JobSpec:
        """Let a job begin with a model's weights. Raises Invalid where they do not fit."""
        return initializing.initialize(
            self._installed, spec, facts, reference, model, preparation, state_sha256
        )

    def inherit(
        self,
        trainable: Trainable,
        spec: JobSpec,
        *,
        trained_as: Component,
        weights: bytes,
        preparation: bytes,
    ) -> Inheritance:
        """Put into a new model what fits of old weights, which were `trained_as` something."""
        return inheriting.inherit(
            self._installed,
            trainable,
            spec.architecture,
            trained_as=trained_as,
            weights=weights,
            preparation=preparation,
            task=spec.task,
        )

    def plan(self, spec: JobSpec, facts: DatasetFacts) -> Plan:
        """Say what a resolved job would cost."""
        return planning.plan(self._installed, spec, facts)

    def build(self, spec: JobSpec, data: Data) -> Trainable:
        """Build everything the training loop works on."""
        return building.build(self._installed, spec, data)

    def prepare(self, spec: JobSpec, data: Data) -> Prepared:
        """Prepare the data as for a training."""
        return building.prepare(self._installed, spec, data)

    def restore(self, task: str, preparation: bytes) -> Task:
        """Make a task again of what it had prepared. Raises KeyError when it is not installed."""
        return self._installed.tasks[task].restore(preparation)

    def build_model(self, architecture: Component, shape: Shape) -> nn.Module:
        """Build a model to load weights into."""
        return building.seeded_model(self._installed, architecture, shape, seed=0)

    def builder(self, architecture: Component) -> Builder:
        """Return what builds an architecture. Raises Invalid where it is none."""
        return resolving.builder(self._installed, architecture)

    def sizes(self, architecture: Component, shape: Shape, task: str) -> nn.Module:
        """Build a model without memory for its weights. Raises Invalid for what does not fit."""
        return resolving.sized(
            self._installed, architecture, shape, task, max_parameters=self._max_parameters
        )

    def count_parameters(self, task: str, architecture: Component, preparation: bytes) -> int:
        """Count the trained numbers of a model, without its weights."""
        shape = self.restore(task, preparation).shape
        return resolving.parameter_count(
            resolving.build_on_meta(self._installed, architecture, shape)
        )

    def components(self) -> list[str]:
        """Name everything installed as `kind:type`, as a worker reports it."""
        return [f"{kind}:{name}" for kind in _KINDS for name in self._kinds(kind)]

    def infos(self, kind: ComponentKind) -> list[ComponentInfo]:
        """Describe the installed components of one kind, sorted by type."""
        return [_info(kind, name, part) for name, part in self._kinds(kind).items()]

    def examples(self) -> dict[str, dict[str, JsonValue]]:
        """Return a worked request for each architecture."""
        return {name: part.example for name, part in self._installed.architectures.items()}

    def _kinds(self, kind: ComponentKind) -> Mapping[str, Any]:
        kinds: Mapping[ComponentKind, Mapping[str, Any]] = {
            "architecture": self._installed.architectures,
            "optimizer": self._installed.optimizers,
            "schedule": self._installed.schedules,
            "task": self._installed.tasks,
        }
        return kinds[kind]


_KINDS: tuple[ComponentKind, ...] = ("architecture", "optimizer", "schedule", "task")


def _info(kind: ComponentKind, name: str, part: Any) -> ComponentInfo:
    options: type[BaseModel] = part.options if kind == "task" else part.config
    fits: list[str] = []
    if kind == "architecture":
        fits = list(part.fits)
    elif kind == "task":
        fits = [*part.data]
    return ComponentInfo(
        kind=kind,
        type=name,
        summary=part.summary,
        fits=fits,
        # Not validated: another package's options may have some that must be given.
        defaults=options.model_construct().model_dump(mode="json", warnings=False),
        json_schema=options.model_json_schema(),
    )
