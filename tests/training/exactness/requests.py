"""Requests that together use everything that is installed: made by walking the catalogue.

An architecture, task, optimizer, schedule or option that comes later is in them by itself; only
data of a new type have to be given to `stored_data`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from pydantic import JsonValue

from service.catalogue import Catalogue
from service.domain.components import ComponentInfo
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from service.domain.problems import Invalid
from service.domain.requests import SEED_MAX, TrainingOptions
from service.training.device import available_devices
from tests.training.exactness.covering import Factor, Row, cover
from tests.training.exactness.schemas import options_of

LENGTHS: list[JsonValue] = [{"epochs": 3}, {"max_steps": 11}]
CHOSEN: Mapping[str, list[JsonValue]] = {
    # A test must not take long, nor wait for a device; what ends by the clock ends anywhere.
    "batch_size": [16, 7, 1000],
    "cyclic": [None, ["hour"], {"hour": 12.0}],
    "device": ["auto", *available_devices()],
    "features": [None, ["wind", "hour", "day"]],
    "group": [None, "day"],
    "early_stopping": [None, {"patience": 1}, {"metric": "val_accuracy", "patience": 2}],
    "max_seconds": [None, 3600.0],
    "max_vocabulary": [50_000, 6],
    "patience": [1, 2],  # of a plateau: with three epochs a longer one says nothing
    "precision": ["float32", "bfloat16"],  # auto may choose otherwise the next time
    "seed": [0, SEED_MAX],
    # Of a Transformer: what its heads divide, with rotary positions too.
    "width": [16, 32],
}
ROOTS = frozenset({"optimizer", "schedule"})  # with the architectures they are 150 runs and more


class _Case(NamedTuple):
    """An architecture that fits a stored dataset."""

    dataset: str
    task: str
    architecture: str


class Requests:
    """The choices there are, and the requests that cover them."""

    def __init__(self, catalogue: Catalogue, datasets: Mapping[str, DatasetFacts]) -> None:
        self._catalogue = catalogue
        self._datasets = datasets
        self._infos = {
            kind: {info.type: info for info in catalogue.infos(kind)}
            for kind in ("architecture", "optimizer", "schedule", "task")
        }
        self.cases = self._fitting()
        self._values: dict[str, list[Any]] = {"case": self.cases}
        self._factors = [Factor("case", len(self.cases))]
        self._add_choice("optimizer")
        self._add_choice("schedule")
        for kind in ("architecture", "task"):
            for name, info in self._infos[kind].items():
                matching = [n for n, case in enumerate(self.cases) if getattr(case, kind) == name]
                self._add_options(info, "case", matching)
        training = options_of(TrainingOptions.model_json_schema())
        for without in ("epochs", "max_steps"):
            del training[without]
        for name, tried in {"length": LENGTHS, **training}.items():
            self._add(f"training.{name}", CHOSEN.get(name, tried))

    def covering(self, *, all_pairs: bool) -> list[JobSpec]:
        """Resolve requests that hold every choice, and every pair of some or of any two choices.

        Some are: optimizers with schedules.
        """
        rows = cover(
            self._factors,
            pairs=lambda one, other: all_pairs or {one, other} <= ROOTS,
            allowed=lambda row: self._spec(row) is not None,
        )
        return [spec for row in rows if (spec := self._spec(row)) is not None]

    def choices(self) -> set[tuple[str, str]]:
        """Name every choice there is, but those that the request leaves to the service."""
        return {(name, repr(value)) for name, tried in self._values.items() for value in tried}

    def _fitting(self) -> list[_Case]:
        cases: list[_Case] = []
        for dataset in self._datasets:
            for architecture in self._infos["architecture"]:
                spec = self._resolve({"dataset": dataset, "architecture": architecture})
                if spec is not None:
                    cases.append(_Case(dataset, spec.task, architecture))
        return cases

    def _add(self, name: str, tried: list[Any], of: str | None = None, when: Any = ()) -> None:
        if tried:
            self._values[name] = tried
            self._factors.append(Factor(name, len(tried), of, frozenset(when)))

    def _add_choice(self, kind: str) -> None:
        infos = self._infos[kind]
        self._add(kind, list(infos))
        for number, info in enumerate(infos.values()):
            self._add_options(info, kind, [number])

    def _add_options(self, info: ComponentInfo, of: str, when: list[int]) -> None:
        for option, tried in options_of(info.json_schema).items():
            name = f"{info.kind}.{info.type}.{option}"
            self._add(name, CHOSEN.get(option, tried), of, when)

    def _spec(self, row: Row) -> JobSpec | None:
        chosen = {name: self._values[name][number] for name, number in row.items()}
        case: _Case = chosen["case"]
        options = partial(_options, chosen)
        training = options("training.")
        length = training.pop("length")
        return self._resolve(
            {
                "dataset": {"name": case.dataset, **options(f"task.{case.task}.")},
                "architecture": {
                    "type": case.architecture,
                    **options(f"architecture.{case.architecture}."),
                },
                "optimizer": {
                    "type": chosen["optimizer"],
                    **options(f"optimizer.{chosen['optimizer']}."),
                },
                "schedule": {
                    "type": chosen["schedule"],
                    **options(f"schedule.{chosen['schedule']}."),
                },
                "training": {**training, **length},
            }
        )

    def _resolve(self, body: dict[str, Any]) -> JobSpec | None:
        """Resolve a request as the service does; None where the parts do not go together."""
        dataset = body["dataset"]
        name = dataset if isinstance(dataset, str) else dataset["name"]
        try:
            request = self._catalogue.job_request.model_validate(body)
            return self._catalogue.resolve(request, self._datasets[name])
        except (Invalid, ValueError):
            return None


def _options(chosen: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in chosen.items()
        if name.startswith(prefix)
    }
