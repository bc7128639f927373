"""`trainyard models`: list, show and promote what can be asked."""

from typing import Annotated

import typer

from service.cli import options, output
from service.cli.clients import connect
from service.cli.options import ListByDefault

app = typer.Typer(cls=ListByDefault, help="List and show models, and serve a checkpoint as one.")


@app.command("list")
def list_models(
    *,
    task: Annotated[str | None, typer.Option(help="Only models of this task.")] = None,
    limit: options.Limit = 20,
    after: options.After = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """List models, newest first."""
    with connect(url) as client:
        page = client.list_models(limit=limit, after=after, task=task)
    if json:
        output.print_json(page)
        return
    rows = [
        [
            model.name,
            str(model.latest.version),
            model.task,
            model.latest.architecture.type,
            model.latest.dataset,
            output.metrics_text(model.latest.metrics),
            output.age(model.latest.created_at),
        ]
        for model in page.data
    ]
    columns = ["model", "version", "task", "architecture", "dataset", "metrics", "created"]
    output.print_table(columns, rows)
    if page.has_more:
        output.messages.print(f"More: trainyard models list --after {page.last_id}", markup=False)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Show a model and its newest version."""
    with connect(url) as client:
        model = client.get_model(name)
    if json:
        output.print_json(model)
        return
    latest = model.latest
    fields = [
        ("model", model.name),
        ("task", model.task),
        ("versions", ", ".join(str(version) for version in model.versions)),
        ("newest", f"{model.name}@{latest.version} ({latest.id})"),
        ("architecture", latest.architecture.model_dump_json()),
        ("dataset", latest.dataset),
        ("job", latest.job or "-"),
        ("checkpoint", latest.checkpoint or "-"),
        ("parameters", f"{latest.parameters:,} ({output.size(latest.bytes)})"),
        ("metrics", output.metrics_text(latest.metrics)),
    ]
    if latest.baseline is not None:
        reached = output.metrics_text({**latest.baseline.metrics})
        fields.append((f"baseline {latest.baseline.name}", reached))
    output.print_fields(fields)


@app.command("promote")
def promote_checkpoint(
    name: Annotated[str, typer.Argument(help="Name of the model; a new one makes a new model.")],
    checkpoint: Annotated[str, typer.Argument(help="Id of a checkpoint of any job, ckpt_….")],
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Serve a checkpoint as the model's next version."""
    with connect(url) as client:
        version = client.promote_checkpoint(name, checkpoint)
    if json:
        output.print_json(version)
    else:
        output.results.print(f"{version.model}@{version.version}", markup=False)
