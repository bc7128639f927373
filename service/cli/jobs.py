"""`trainyard jobs`: list, show, and act on jobs."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli import options, output
from service.cli.clients import connect
from service.cli.doctor import show_findings
from service.cli.events import show_events
from service.cli.options import ListByDefault
from service.cli.request import job_body
from service.cli.watch import print_end
from service.domain.jobs import ENDED, Job
from service.domain.transitions import JobAction

app = typer.Typer(
    cls=ListByDefault, help="List jobs, and cancel, pause, resume, retry, fork or delete one."
)
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, job_….")]


@app.command("list")
def list_jobs(
    *,
    status: Annotated[str | None, typer.Option(help="Only jobs in this status.")] = None,
    model: Annotated[str | None, typer.Option(help="Only jobs for this model.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only jobs on this dataset.")] = None,
    limit: options.Limit = 20,
    after: options.After = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """List jobs, newest first."""
    with connect(url) as client:
        page = client.list_jobs(
            status=status, model=model, dataset=dataset, limit=limit, after=after
        )
    if json:
        output.print_json(page)
        return
    rows = [
        [
            job.id,
            output.status_text(job),
            f"{job.progress.percent:.0f} %",
            job.spec.model or "-",
            job.spec.dataset.name,
            job.spec.architecture.type,
            output.age(job.created_at),
        ]
        for job in page.data
    ]
    columns = ["job", "status", "done", "model", "dataset", "type", "created"]
    output.print_table(columns, rows, unbroken=3)
    if page.has_more:
        output.messages.print(f"More: trainyard jobs list --after {page.last_id}")


@app.command("show")
def show_job(
    job_id: JobId, url: options.Url = options.DEFAULT_URL, json: options.Json = False
) -> None:
    """Show one job."""
    with connect(url) as client:
        _print_job(client.get_job(job_id), json=json)


@app.command("cancel")
def cancel_job(
    job_id: JobId, url: options.Url = options.DEFAULT_URL, json: options.Json = False
) -> None:
    """Stop a job for good, at the next batch."""
    _act(job_id, "cancel", url=url, json=json)


@app.command("pause")
def pause_job(
    job_id: JobId, url: options.Url = options.DEFAULT_URL, json: options.Json = False
) -> None:
    """Write a checkpoint at the next batch and stop until resumed."""
    _act(job_id, "pause", url=url, json=json)


@app.command("resume")
def resume_job(
    job_id: JobId, url: options.Url = options.DEFAULT_URL, json: options.Json = False
) -> None:
    """Let a paused job go on from its checkpoint."""
    _act(job_id, "resume", url=url, json=json)


@app.command("retry")
def retry_job(
    job_id: JobId, url: options.Url = options.DEFAULT_URL, json: options.Json = False
) -> None:
    """Put a failed or cancelled job back in the queue."""
    _act(job_id, "retry", url=url, json=json)


@app.command("fork")
def fork_job(
    job_id: JobId,
    *,
    checkpoint: Annotated[
        str | None, typer.Option(help="Where to begin; else the checkpoint that came furthest.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data, in all.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Steps in all, instead of epochs.")] = None,
    settings: options.Setting = None,
    file: Annotated[Path | None, typer.Option(help="The patch as JSON; options win.")] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Start a new job from a checkpoint of this one, with what you change."""
    training = {"epochs": epochs, "max_steps": max_steps}
    patch = job_body(file=file, top={}, training=training, metadata=[], settings=settings or [])
    with connect(url) as client:
        job = client.fork_job(job_id, checkpoint=checkpoint, patch=patch)
    if json:
        output.print_json(job)
    else:
        output.results.print(job.id)


app.command("events")(show_events)
app.command("doctor")(show_findings)


@app.command("certificate")
def show_certificate(
    job_id: JobId, url: options.Url = options.DEFAULT_URL, json: options.Json = False
) -> None:
    """Show by which states a run went: equal runs have equal hashes."""
    with connect(url) as client:
        certificate = client.get_certificate(job_id)
    if json:
        output.print_json(certificate)
        return
    rows = [
        [str(each.step), str(each.epoch), each.state_sha256[:16], (each.link or "-")[:16]]
        for each in certificate.chain
    ]
    output.print_table(["step", "epoch", "state", "link"], rows, unbroken=4)
    for stretch in certificate.environments:
        machine = ", ".join(f"{name} {value}" for name, value in stretch.environment.items())
        how = "exactly" if stretch.exact else "not exactly"
        output.results.print(f"from step {stretch.step} {how}, on {machine}")
    gaps = "no certificate: an earlier version trained this job, and told of no hashes"
    output.results.print(certificate.sha256 or gaps)


@app.command("delete")
def delete_job(job_id: JobId, url: options.Url = options.DEFAULT_URL) -> None:
    """Delete a job that is not running. Its models stay."""
    with connect(url) as client:
        client.delete_job(job_id)
    output.results.print(f"{job_id} is deleted.")


def _act(job_id: str, action: JobAction, *, url: str, json: bool) -> None:
    with connect(url) as client:
        job = client.act_on_job(job_id, action)
    if json:
        output.print_json(job)
    else:
        output.results.print(f"{job.id} is", output.status_text(job))


def _print_job(job: Job, *, json: bool) -> None:
    if json:
        output.print_json(job)
        return
    progress = job.progress
    fields = [
        ("job", job.id),
        ("status", output.status_text(job)),
        ("model", job.spec.model or "-"),
        ("dataset", job.spec.dataset.name),
        ("architecture", job.spec.architecture.model_dump_json()),
        ("optimizer", job.spec.optimizer.model_dump_json()),
        ("schedule", job.spec.schedule.model_dump_json()),
        ("progress", f"epoch {progress.epoch}, step {progress.step}, {progress.percent:.0f} %"),
        *[("fork of", parent) for parent in [job.parent_job] if parent is not None],
        ("attempt", str(job.attempt)),
        ("created", output.age(job.created_at)),
        *[(f"metadata {key}", value) for key, value in job.metadata.items()],
    ]
    if job.run is not None:
        run = job.run
        fields.append(("run", f"{run.device}, {run.threads} threads, torch {run.torch}"))
        fields.append(("parameters", f"{run.parameters:,}"))
    if job.picked_lr is not None:
        fields.append(("learning rate", f"{job.picked_lr:g}, picked by a range test"))
    output.print_fields(fields)
    if job.status in ENDED:
        print_end(job)
