"""Requests for jobs, drawn from the JSON Schemas of all that is installed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from service.catalogue import Catalogue
from service.domain.components import ComponentInfo
from service.domain.problems import Invalid
from service.domain.requests import TrainingOptions
from tests.requests.schemas import Drawing, Values
from tests.requests.small import Small

WORDS = ("hour", "sky", "day", "wind", "power", "val_loss", "val_accuracy", "val_rmse", "nothing")
SHORT: Mapping[str, Values] = {
    "max_steps": st.sampled_from([2, 2, 500]),  # a range test needs more than two
    "batch_size": st.sampled_from([1, 2, 3, 16, 1000]),
}
LATER = ("epochs",)  # of the two lengths a job has one


class _Case(NamedTuple):
    dataset: str
    task: str
    architecture: str


class Requests:
    """The requests there are for some small datasets."""

    def __init__(self, catalogue: Catalogue, datasets: Mapping[str, Small]) -> None:
        self._catalogue = catalogue
        self._infos = {
            kind: {info.type: info for info in catalogue.infos(kind)}
            for kind in ("architecture", "optimizer", "schedule", "task")
        }
        self._cases = [
            _Case(name, task.type, architecture)
            for name, small in datasets.items()
            for task in self._infos["task"].values()
            if small.facts.facts.type in task.fits
            for architecture in self._infos["architecture"]
            if self._go_together(small, task.type, architecture)
        ]

    def any(self) -> Values:
        """Draw requests: of four, three of what there is, and one at the bounds and beyond."""
        return st.sampled_from([False, False, False, True]).flatmap(self._requests)

    def _requests(self, edges: bool) -> Values:
        return st.sampled_from(self._cases).flatmap(lambda case: self._of(case, edges=edges))

    def _of(self, case: _Case, *, edges: bool) -> Values:
        task = st.just(case.task) | st.none()
        if edges:
            task |= st.sampled_from([*self._infos["task"]])
        dataset = self._drawn(
            self._infos["task"][case.task], edges, name=st.just(case.dataset), task=task
        )
        training = TrainingOptions.model_json_schema()
        properties = {k: v for k, v in training["properties"].items() if edges or k not in LATER}
        drawing = Drawing(training["$defs"], WORDS, edges=edges)
        return st.fixed_dictionaries(
            {
                "dataset": dataset,
                "architecture": self._one("architecture", case.architecture, edges=edges),
                "training": drawing.object(
                    {**training, "properties": properties}, always={} if edges else SHORT
                ),
            },
            optional={kind: self._some(kind, edges=edges) for kind in ("optimizer", "schedule")},
        )

    def _some(self, kind: str, *, edges: bool) -> Values:
        names = st.sampled_from([*self._infos[kind]])
        return names | names.flatmap(lambda name: self._one(kind, name, edges=edges))

    def _one(self, kind: str, name: str, *, edges: bool) -> Values:
        drawn = self._drawn(self._infos[kind][name], edges, type=st.just(name))
        return drawn | st.just(name) if edges else drawn

    def _drawn(self, info: ComponentInfo, edges: bool, **always: Values) -> Values:
        schema: Any = info.json_schema
        return Drawing(schema.get("$defs", {}), WORDS, edges=edges).object(schema, always=always)

    def _go_together(self, small: Small, task: str, architecture: str) -> bool:
        body = {"dataset": {"name": small.facts.name, "task": task}, "architecture": architecture}
        try:
            self._catalogue.resolve(self._catalogue.job_request.model_validate(body), small.facts)
        except Invalid as refused:
            # What an option of the architecture would mend goes together.
            return all(error.pointer.startswith("/architecture/") for error in refused.errors)
        return True
