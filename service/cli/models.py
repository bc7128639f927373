"""`trainyard models`: list, show, describe and promote what can be asked; aliases; deletion."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from service.cli import options, output
from service.cli.clients import connect
from service.cli.options import ListByDefault
from service.domain.models import ModelVersion

TRANSFER_SECONDS = 600.0


class FileFormat(Enum):
    """What a model can be downloaded as."""

    ZIP = "zip"
    ONNX = "onnx"


app = typer.Typer(cls=ListByDefault, help="List and show models, and serve a checkpoint as one.")


@app.command("list")
def list_models(
    *,
    task: Annotated[str | None, typer.Option(help="Only models of this task.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only models with this tag.")] = None,
    limit: options.Limit = 20,
    after: options.After = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """List models, newest first."""
    with connect(url) as client:
        page = client.list_models(limit=limit, after=after, task=task, tag=tag)
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
        ("aliases", ", ".join(f"{name} = {of}" for name, of in model.aliases.items()) or "-"),
        ("tags", ", ".join(model.tags) or "-"),
        ("description", model.description or "-"),
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


@app.command("card")
def show_card(
    model: Annotated[str, typer.Argument(help="A version, as eating@3; a name: the newest.")],
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Print a model card in Markdown: data, training, metrics with intervals, limits."""
    with connect(url) as client:
        if json:
            output.print_json(client.get_model_card(model))
        else:
            output.results.print(client.get_model_card_text(model), markup=False, end="")


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
    _print_version(version, json=json)


@app.command("download")
def download_model(
    model: Annotated[str, typer.Argument(help="A version, as eating@3; a name: the newest.")],
    *,
    to: Annotated[
        Path, typer.Option("--output", "-o", help="The file, or a folder to put it into.")
    ] = Path(),
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="zip: for PyTorch and other services; or onnx.")
    ] = FileFormat.ZIP,
    url: options.Url = options.DEFAULT_URL,
) -> None:
    """Download a model as a zip that works with plain PyTorch, and print where it is."""
    with connect(url, timeout=TRANSFER_SECONDS) as client:
        written = client.download_model(model, to, file_format=file_format.value)
    output.results.print(str(written), markup=False, soft_wrap=True)


@app.command("import")
def import_model(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The zip of a download.")
    ],
    name: Annotated[str, typer.Option("--name", help="What the model is called here.")],
    *,
    description: Annotated[str | None, typer.Option(help="What it is for; Markdown.")] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Bring in a model that was downloaded from another service."""
    with connect(url, timeout=TRANSFER_SECONDS) as client:
        version = client.import_model(file, name, description=description)
    _print_version(version, json=json)


@app.command("describe")
def describe_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    *,
    description: Annotated[
        str | None, typer.Option(help="What it is for; Markdown. Empty: nothing.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A word to find it by; may be repeated.")
    ] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Say what a model is for, and by which words it is found."""
    with connect(url) as client:
        model = client.describe_model(name, description=description, tags=tag)
    if json:
        output.print_json(model)
    else:
        output.results.print(f"{model.name}: {', '.join(model.tags) or 'no tags'}", markup=False)


@app.command("alias")
def set_alias(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    alias: Annotated[str, typer.Argument(help="What stands behind the @, as champion.")],
    version: Annotated[
        int | None, typer.Argument(help="The version it stands for; none: forget the alias.")
    ] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Let an alias stand for a version from now on, or forget it."""
    with connect(url) as client:
        if version is None:
            client.delete_alias(name, alias)
            return
        made = client.set_alias(name, alias, version)
    if json:
        output.print_json(made)
    else:
        output.results.print(f"{name}@{alias} is {name}@{made.version}", markup=False)


@app.command("delete")
def delete_model(
    model: Annotated[str, typer.Argument(help="A version, as eating@3; a name: all of them.")],
    url: options.Url = options.DEFAULT_URL,
) -> None:
    """Delete a version of a model, or all of its versions."""
    with connect(url) as client:
        client.delete_model(model)


def _print_version(version: ModelVersion, *, json: bool) -> None:
    if json:
        output.print_json(version)
    else:
        output.results.print(f"{version.model}@{version.version}", markup=False)
