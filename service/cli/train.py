"""`trainyard train`: start a training job and watch it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from service.cli import options, output
from service.cli.clients import connect
from service.cli.request import job_body
from service.cli.watch import watch_until_over
from service.client import Client
from service.domain.jobs import Plan

InitializeFrom = Annotated[
    str | None, typer.Option(help="A model whose weights are where it begins.")
]
ClientId = Annotated[
    str | None,
    typer.Option(help="Your own id for the job; the same command again watches the same job."),
]
RecipeName = Annotated[
    str | None, typer.Option(help="A worked example, see `trainyard recipes`; options win.")
]
LearningRate = Annotated[
    str | None, typer.Option(help="A number, or auto: a range test picks it. Default: what suits.")
]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; can be repeated.")
]


def train(
    *,
    dataset: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    architecture: Annotated[str | None, typer.Option(help="For example mlp, cnn, rnn.")] = None,
    model: Annotated[str | None, typer.Option(help="Name under which it is served.")] = None,
    initialize_from: InitializeFrom = None,
    optimizer: Annotated[str | None, typer.Option(help="Default: what suits.")] = None,
    lr: LearningRate = None,
    schedule: Annotated[str | None, typer.Option(help="Default: what suits.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Steps, instead of epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples per step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes weights, order, dropout.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher goes first.")] = None,
    client_id: ClientId = None,
    metadata: Metadata = None,
    settings: options.Setting = None,
    recipe: RecipeName = None,
    file: Annotated[Path | None, typer.Option(help="The job as JSON; options win.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what it would do.")] = False,
    watch: Annotated[bool, typer.Option(help="Follow the job until it ends.")] = True,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Start a training job. Prints its id, then follows it; Ctrl-C leaves it running."""
    length = {"epochs": epochs, "max_steps": max_steps}
    with connect(url) as client:
        body = job_body(
            file=file,
            recipe=_recipe(client, recipe, file),
            top={
                "dataset": dataset,
                "architecture": architecture,
                "model": model,
                "initialize_from": initialize_from,
                "optimizer": optimizer,
                "schedule": schedule,
                "priority": priority,
                "client_id": client_id,
            },
            training=length | {"batch_size": batch_size, "seed": seed},
            metadata=metadata or [],
            settings=[*([] if lr is None else [f"optimizer.lr={lr}"]), *(settings or [])],
        )
        body = _with_optimizer(client, body)
        if plan:
            _print_plan(client.plan_job(body), json=json)
        else:
            raise typer.Exit(_start(client, body, watch=watch, json=json))


def _recipe(client: Client, name: str | None, file: Path | None) -> Mapping[str, Any]:
    if name is None:
        return {}
    if file is not None:
        message = "say either a recipe or a file"
        raise typer.BadParameter(message, param_hint="--recipe")
    return client.get_recipe(name).request


def _with_optimizer(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Let options that are given for no optimizer be for the one that suits the architecture."""
    given: Any = body.get("optimizer")
    if not isinstance(given, dict) or "type" in given:
        return body
    suiting = client.plan_job({**body, "optimizer": None}).spec.optimizer.options()
    return {**body, "optimizer": {**suiting, **given}}


def _start(client: Client, body: Mapping[str, Any], *, watch: bool, json: bool) -> int:
    client_id = body.get("client_id")
    job = client.put_job(client_id, body) if client_id else client.create_job(body)
    if watch:
        # The id comes first, where it is seen even if the bar is not.
        (output.messages if json else output.results).print(job.id)
        return watch_until_over(client, job.id, json=json)
    if json:
        output.print_json(job)
    else:
        output.results.print(job.id)
    return 0


def _print_plan(plan: Plan, *, json: bool) -> None:
    if json:
        output.print_json(plan)
        return
    output.print_fields(
        [
            ("parameters", f"{plan.parameters:,}"),
            ("steps", f"{plan.steps:,} ({plan.steps_per_epoch:,} per epoch)"),
            ("memory", output.size(plan.memory_bytes)),
            ("checkpoint", output.size(plan.checkpoint_bytes)),
            ("time", f"about {output.duration(plan.estimated_seconds)}"),
        ]
    )
    for warning in plan.warnings:
        output.results.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)
