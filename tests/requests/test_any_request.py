"""Any request: what a plan is made for trains, and what is refused is told why, and where."""

import json
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, event, given, settings

from service.catalogue import Catalogue, Trainable
from service.domain.jobs import JobSpec
from service.domain.ports import Command
from service.domain.problems import Invalid
from service.domain.validation import parse
from service.training.failures import LossNotFinite
from service.training.loop import train
from service.training.validation import assess
from tests.requests.asking import Requests
from tests.requests.small import small_data
from tests.training.parts import CPU, MemoryRecorder

pytestmark = pytest.mark.usefixtures("one_thread")

CATALOGUE = Catalogue.installed(max_parameters=300_000, max_memory_bytes=40_000_000)
DATA = small_data()
REQUESTS = Requests(Catalogue.installed(), DATA).any()
QUICK = settings(
    max_examples=80,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class TwoSteps(MemoryRecorder):
    """Pauses a run after its second step; a range test before the first may take as many."""

    def command(self) -> Command | None:
        self.asked += len(self.runs)
        # From then on, as a database says it: who collects the gradient of a whole epoch asks
        # between batches, too, and heeds a cancel alone there.
        return "pause" if self.asked >= 3 else None


@settings(QUICK)
@given(body=REQUESTS)
def test_any_request_trains_or_is_told_why_not(body: Any) -> None:
    _trains_or_is_refused(body)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(QUICK, max_examples=2000, derandomize=False, print_blob=True)
@given(body=REQUESTS)
def test_very_many_requests_train_or_are_told_why_not(body: Any) -> None:
    _trains_or_is_refused(body)


def _trains_or_is_refused(body: Any) -> None:
    small = DATA[body["dataset"]["name"]]
    shown = body
    try:
        request = parse(CATALOGUE.job_request, json.dumps(body).encode())
        shown = request.model_dump(mode="json")
        spec = CATALOGUE.resolve(request, small.facts)
        CATALOGUE.plan(spec, small.facts)
    except Invalid as refused:
        event("refused")
        _says_why(refused, shown)
        return
    try:
        trainable = CATALOGUE.build(spec, small.data)
    except Invalid as refused:  # only the examples themselves tell that
        event("refused by its data")
        _says_why(refused, shown, below="/dataset/")
        return
    event(_trained(trainable, spec))


def _trained(trainable: Trainable, spec: JobSpec) -> str:
    recorder = TwoSteps()
    assert trainable.validation.steps_per_epoch(spec.training.batch_size) > 0
    try:
        train(trainable, spec, recorder, device=CPU)
    except LossNotFinite as failure:
        _was_led_astray(failure)
        return "diverged"
    task, options = trainable.task, spec.training
    assess(
        trainable.model,
        task,
        trainable.validation,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    assert CATALOGUE.restore(spec.task, task.preparation()).shape == task.shape
    assert recorder.drafts[-1].step in {1, 2}
    return "trained"


def _was_led_astray(failure: LossNotFinite) -> None:
    """No step that was too long comes before the first: the initial weights have a loss."""
    assert failure.step > 1, failure


def _says_why(refused: Invalid, shown: Any, *, below: str = "/") -> None:
    """Every error says something, and points at what is there or could be."""
    assert refused.errors
    for error in refused.errors:
        assert " " in error.detail, error
        assert (error.pointer + "/").startswith(below), error
        assert _is_there(shown, error.pointer.split("/")[1:-1]), error


def _is_there(shown: Any, path: list[str]) -> bool:
    """Go down a pointer."""
    for part in path:
        if isinstance(shown, list) and part.isdigit() and int(part) < len(cast("Any", shown)):
            shown = cast("Any", shown)[int(part)]
        elif isinstance(shown, dict) and part in shown:
            shown = cast("Any", shown)[part]
        else:
            return False
    return True
