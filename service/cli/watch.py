"""`trainyard watch`: a live progress bar of a job, what the doctor finds, and how it ended."""

from typing import Annotated, Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from service.cli import options, output
from service.cli.clients import connect
from service.cli.doctor import News
from service.client import Client, UnavailableError, UnreachableError
from service.domain.evaluations import Evaluation, Interval
from service.domain.jobs import Job, JobResult

SHOWN = ("val_perplexity", "val_accuracy", "val_rmse", "val_loss")
"""Validation metrics, the one most worth a look first."""
RATE = "time/examples_per_second"
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Bar:
    """A progress bar: epoch, loss, validation metric, examples per second, time left.

    Where nobody looks live (a pipe, a log file) it prints a line per tenth instead.
    """

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console
        self._tenth = -1
        self._told_lr = False
        self._bar: TaskID | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[numbers]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, job: Job) -> None:
        """Show how far the job is."""
        if job.picked_lr is not None and not self._told_lr:
            self._told_lr = True
            line = f"  {_title(job)} learning rate {job.picked_lr:g}, picked by a range test"
            self._console.print(line, markup=False, soft_wrap=True)
        numbers = self._numbers(job)
        percent = 100.0 if job.status == "succeeded" else job.progress.percent
        title = f"{escape(_title(job))} [{output.STATUS_STYLES[job.status]}]{job.status}[/]"
        if self._bar is None:
            self._bar = self._progress.add_task(title, total=100.0, numbers="")
        self._progress.update(self._bar, completed=percent, description=title, numbers=numbers)
        if not self._console.is_terminal and int(percent // 10) > self._tenth:
            self._tenth = int(percent // 10)
            self._console.print(
                f"  {_title(job)} {job.status} {percent:3.0f} %  {numbers}",
                markup=False,
                soft_wrap=True,
            )

    def _numbers(self, job: Job) -> str:
        if job.status == "queued":
            return "" if job.queue_position is None else f"{job.queue_position} in the queue"
        progress = job.progress
        of = "" if progress.epochs is None else f"/{progress.epochs}"
        parts = [f"epoch {progress.epoch}{of}", *self._newest_metrics(job)]
        if job.status == "running":
            parts.append(f"{output.duration(progress.eta_seconds)} left")
        return "  ".join(parts)

    def _newest_metrics(self, job: Job) -> list[str]:
        try:
            series = self._client.get_metrics(job.id, max_points=10).series
        except (
            UnreachableError,
            UnavailableError,
        ):  # whoever follows the job decides how long to wait for the service
            return []
        newest = {name: values.value[-1] for name, values in series.items() if values.value}
        validation = [name for name in SHOWN if name in newest][:1]
        shown = [name for name in ("train_loss", *validation) if name in newest]
        texts = [f"{name} {output.number(newest[name])}" for name in shown]
        if rate := newest.get(RATE):
            texts.append(f"{rate:,.0f} examples/s")
        return texts


def watch(
    job: Annotated[str, typer.Argument(help="Id of the job, job_….")],
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Follow a job until it ends. Ctrl-C stops watching; the job goes on."""
    with connect(url) as client:
        raise typer.Exit(watch_until_over(client, job, json=json))


def watch_until_over(client: Client, job_id: str, *, json: bool) -> int:
    """Follow a job and print how it ended; return the exit code, 0 only if it succeeded."""
    try:
        console = output.messages if json else output.results
        news = News(client, console)
        with Bar(client, console) as bar:

            def show(job: Job) -> None:
                bar.show(job)
                news.print(job.id)

            job = client.wait_for_job(job_id, progress=show)
    except KeyboardInterrupt:
        output.messages.print(
            f"Stopped watching. {job_id} goes on; see it again with `trainyard watch {job_id}`, "
            f"end it with `trainyard jobs cancel {job_id}`.",
            soft_wrap=True,
        )
        return INTERRUPTED
    if json:
        output.print_json(job)
    else:
        print_end(job)
    return 0 if job.status == "succeeded" else 1


def print_end(job: Job) -> None:
    """Say how a job ended: its result against the baseline, or why it failed."""
    if job.error is not None:
        output.print_error(f"{job.id} failed: {job.error.message}")
        if job.error.hint:
            output.messages.print(escape(job.error.hint), soft_wrap=True)
    elif job.result is not None:
        output.results.print(f"{job.id} succeeded: model {escape(served_name(job.result))}")
        print_comparison(job.result)
    else:
        output.results.print(f"{job.id} is {job.status}.")


def print_comparison(result: JobResult) -> None:
    """Print each metric with its interval beside what the simplest guess reaches."""
    guess, told = result.baseline.metrics, result.evaluation or Evaluation(examples=0)
    others = {name: each.value for name, each in told.intervals.items()}
    rows = [
        [
            name,
            output.number(value),
            _bounds(told.intervals.get(name)),
            output.number(guess.get(name)),
        ]
        for name, value in {**others, **result.metrics}.items()
    ]
    baseline = f"baseline ({result.baseline.name})"
    output.print_table(["metric", "model", "95 % interval", baseline], rows)
    if told.calibration is not None:
        before, after = told.calibration.error_before, told.calibration.error_after
        output.results.print(
            f"probabilities are off by {before:.1%}; {after:.1%} at temperature "
            f"{output.number(told.calibration.temperature)}"
        )


def _bounds(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return f"{output.number(interval.low)} to {output.number(interval.high)}"


def served_name(result: JobResult) -> str:
    """Return the name under which predictions can be asked for."""
    return result.model if result.version is None else f"{result.model}@{result.version}"


def _title(job: Job) -> str:
    return job.spec.model or f"{job.spec.architecture.type} on {job.spec.dataset.name}"
