"""`trainyard datasets`: list, show, add and delete datasets."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli import options, output
from service.cli.clients import connect
from service.cli.options import ListByDefault
from service.domain.datasets import Dataset, ImageFacts, LabelledTextFacts, TableFacts

app = typer.Typer(cls=ListByDefault, help="List, show, add and delete datasets.")
Name = Annotated[str, typer.Argument(help="Name of the dataset.")]


def _file(meaning: str) -> Any:
    return typer.Option(exists=True, dir_okay=False, readable=True, help=meaning)


@app.command("list")
def list_datasets(
    *,
    limit: options.Limit = 20,
    after: options.After = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """List datasets, newest first."""
    with connect(url) as client:
        page = client.list_datasets(limit=limit, after=after)
    if json:
        output.print_json(page)
        return
    rows = [
        [one.name, one.type, summary(one), _size(one), output.age(one.created_at)]
        for one in page.data
    ]
    output.print_table(["dataset", "type", "holds", "bytes", "created"], rows)
    if page.has_more:
        output.messages.print(f"More: trainyard datasets list --after {page.last_id}")


@app.command("show")
def show_dataset(
    name: Name, url: options.Url = options.DEFAULT_URL, json: options.Json = False
) -> None:
    """Show what is known of a dataset."""
    with connect(url) as client:
        _print_dataset(client.get_dataset(name), json=json)


@app.command("add")
def add_dataset(
    name: Name,
    *,
    file: Annotated[Path | None, _file("A text, one sequence a line.")] = None,
    images: Annotated[Path | None, _file("IDX images, plain or gzip.")] = None,
    labels: Annotated[Path | None, _file("IDX labels.")] = None,
    test_images: Annotated[Path | None, _file("IDX images held out for validation.")] = None,
    test_labels: Annotated[Path | None, _file("Their labels.")] = None,
    classes: Annotated[str | None, typer.Option(help="Names, comma-separated.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="The text is running text.")] = False,
    source: Annotated[str | None, typer.Option(help="Where it comes from.")] = None,
    licence: Annotated[str | None, typer.Option(help="What is allowed with it.")] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Upload a text (--file) or labelled images (--images and --labels)."""
    if (file is None) == (images is None):
        message = "give --file for a text, or --images and --labels"
        raise typer.BadParameter(message)
    options_of_type: dict[str, Any] = (
        {"type": "text", "sequences": "stream" if stream else "lines"}
        if file is not None
        else {"type": "idx", "classes": classes.split(",") if classes else None}
    )
    spec = {"name": name, **options_of_type, "source": source, "licence": licence}
    files = {
        "file": file,
        "images": images,
        "labels": labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }
    with connect(url, timeout=600) as client:
        dataset = client.add_dataset(
            {key: value for key, value in spec.items() if value is not None},
            {role: path for role, path in files.items() if path is not None},
        )
    _print_dataset(dataset, json=json)


@app.command("delete")
def delete_dataset(name: Name, url: options.Url = options.DEFAULT_URL) -> None:
    """Delete a dataset that no unfinished job uses."""
    with connect(url) as client:
        client.delete_dataset(name)
    output.results.print(f"{name} is deleted.", markup=False)


def summary(dataset: Dataset) -> str:
    """Say in a few words how much a dataset holds."""
    facts = dataset.facts
    if isinstance(facts, ImageFacts):
        picture = f"{facts.channels}x{facts.height}x{facts.width}"
        return f"{facts.examples:,} + {facts.test_examples:,} images {picture}"
    if isinstance(facts, LabelledTextFacts):
        return f"{facts.examples:,} texts of {len(facts.classes):,} classes, {facts.words:,} words"
    if isinstance(facts, TableFacts):
        return f"{facts.rows:,} rows of {len(facts.columns):,} columns, target {facts.target}"
    return f"{facts.lines:,} lines, {facts.words:,} words, {facts.distinct_words:,} distinct"


def _size(dataset: Dataset) -> str:
    size = output.size(dataset.bytes)
    return size if dataset.downloaded else f"{size}, not downloaded yet"


def _print_dataset(dataset: Dataset, *, json: bool) -> None:
    if json:
        output.print_json(dataset)
        return
    fields = [
        ("dataset", dataset.name),
        ("type", dataset.type),
        ("holds", summary(dataset)),
        ("sha256", dataset.sha256),
        ("bytes", _size(dataset)),
        ("source", dataset.source or "-"),
        ("licence", dataset.licence or "-"),
        *[(one.role, f"{output.size(one.bytes)} {one.sha256}") for one in dataset.files],
    ]
    if isinstance(dataset.facts, ImageFacts | LabelledTextFacts):
        fields.append(("classes", ", ".join(dataset.facts.classes)))
    output.print_fields(fields)
