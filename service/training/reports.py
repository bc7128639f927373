"""What a run tells its recorder, and when: a rule by steps alone, so that a resume repeats it.

Train loss, lr and gradient norm come every `max(10, 1 % of the epoch)` batches, counted from the
beginning of the epoch, and at its end. Only progress and `time/…` follow the clock.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from service.domain.findings import TrainingFinding
from service.domain.jobs import Progress
from service.domain.ports import MetricPoint, Recorder
from service.training.failures import LossNotFinite
from service.training.state import Cursor
from service.training.step import StepResult
from service.training.validation import finite_or_none

PROGRESS_SECONDS = 0.25
EVENT_SECONDS = (1.0, 30.0)
"""How far progress events lie apart: at least, where a whole percent was passed; at most."""


class Length(NamedTuple):
    """How long an epoch and the run are; `epochs` is None where steps bound the run."""

    batches_per_epoch: int
    steps: int
    epochs: int | None


class Reports:
    """Collects what steps saw and hands it on."""

    def __init__(
        self,
        recorder: Recorder,
        cursor: Cursor,
        length: Length,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._recorder = recorder
        self._cursor = cursor
        self._every = max(10, length.batches_per_epoch // 100)
        self._steps, self._epochs = length.steps, length.epochs
        self._clock = clock
        self._started = self._last_points = self._last_progress = clock()
        self._first_step = cursor.step
        self._examples = 0
        self._train_loss: float | None = None  # as it was reported last
        self._event_at, self._event_percent = self._started, self._percent()

    def elapsed_seconds(self) -> float:
        """Return how long this run has been training."""
        return self._clock() - self._started

    def step(self, result: StepResult, *, last: bool) -> None:
        """Take in one step, and report when it is time."""
        cursor = self._cursor
        cursor.loss_sum += result.loss * result.weight
        cursor.loss_weight += result.weight
        self._examples += result.examples
        if last or cursor.position % self._every == 0:  # position is 0 after an epoch's last batch
            self._points(result)
        if last or self._clock() - self._last_progress >= PROGRESS_SECONDS:
            self.progress()

    def mean_loss(self) -> dict[str, float]:
        """Return the train loss since the last report, if there was a step since."""
        cursor = self._cursor
        weight = cursor.loss_weight
        return {"train_loss": cursor.loss_sum / weight} if weight else {}

    def values(self, values: Mapping[str, float]) -> None:
        """Report metrics at the current step."""
        step, epoch = self._cursor.step, self._cursor.epoch
        self._recorder.metrics([MetricPoint(k, step, epoch, v) for k, v in values.items()])

    def failed(self, failure: LossNotFinite) -> None:
        """Report the value that ended the run, at the step that was not taken."""
        epoch = self._cursor.whole_epochs + 1
        self._recorder.metrics([MetricPoint("train_loss", failure.step, epoch, failure.loss)])
        self.progress()

    def findings(self, findings: Sequence[TrainingFinding]) -> None:
        """Report what the doctor found."""
        for finding in findings:
            self._recorder.event("finding", finding.event_data())

    def epoch(self, metrics: Mapping[str, float]) -> None:
        """Report the end of an epoch."""
        finite: JsonValue = {name: finite_or_none(value) for name, value in metrics.items()}
        cursor = self._cursor
        self._recorder.event(
            "epoch", {"epoch": cursor.epoch, "step": cursor.step, "metrics": finite}
        )

    def progress(self) -> None:
        """Report how far the run came; the time left is guessed from this run's own pace."""
        now = self._clock()
        cursor = self._cursor
        done = cursor.step - self._first_step
        left = self._steps - cursor.step
        pace = (now - self._started) / done if done else None
        self._last_progress = now
        progress = Progress(
            epoch=cursor.epoch,
            epochs=self._epochs,
            step=cursor.step,
            steps=self._steps,
            percent=self._percent(),
            eta_seconds=None if pace is None else round(pace * left, 3),
        )
        if self._is_news(progress.percent, now):
            self._event_at, self._event_percent = now, progress.percent
            loss = {} if self._train_loss is None else {"train_loss": self._train_loss}
            data = progress.model_dump(mode="json", exclude={"updated_at"})
            self._recorder.event("progress", {**data, **loss})
        self._recorder.progress(progress)

    def _percent(self) -> float:
        return round(100 * self._cursor.step / self._steps, 2)

    def _is_news(self, percent: float, now: float) -> bool:
        least, most = EVENT_SECONDS
        passed = int(percent) > int(self._event_percent)
        return now - self._event_at >= (least if passed else most)

    def _points(self, result: StepResult) -> None:
        now = self._clock()
        seconds = max(now - self._last_points, 1e-9)
        mean_loss = self.mean_loss()
        self._train_loss = mean_loss["train_loss"]
        self.values(
            {
                **mean_loss,
                "lr": result.lr,
                "gradient_norm": result.gradient_norm,
                "time/examples_per_second": self._examples / seconds,
            }
        )
        self._cursor.loss_sum, self._cursor.loss_weight = 0.0, 0
        self._last_points, self._examples = now, 0
