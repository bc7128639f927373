"""`trainyard datasets`: list, show, add and delete datasets."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli import options, output
from service.cli.clients import connect
from service.cli.dataset_files import Guess, guess, name_of
from service.cli.looking import show_preview, show_statistics
from service.cli.options import ListByDefault
from service.cli.request import job_body
from service.cli.uploading import holds, print_dataset, send, size

app = typer.Typer(cls=ListByDefault, help="List, show, add and delete datasets.")
What = Annotated[
    list[str], typer.Argument(metavar="FILE…", help="Files; or a name, with --file, --images.")
]
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
        [one.name, one.type, holds(one.facts), size(one), output.age(one.created_at)]
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
        print_dataset(client.get_dataset(name), json=json)


app.command("preview")(show_preview)
app.command("statistics")(show_statistics)


@app.command("add")
def add_dataset(
    what: What,
    *,
    name: Annotated[str | None, typer.Option(help="Default: the name of the first file.")] = None,
    type_: Annotated[
        str | None,
        typer.Option("--type", help="text, labelled_text, table, idx, image_folder; else guessed."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would become; store nothing.")
    ] = False,
    on_error: Annotated[
        str | None, typer.Option(help="skip: leave out what cannot be read, and say so.")
    ] = None,
    settings: options.Setting = None,
    file: Annotated[Path | None, _file("A text, one sequence a line; rows; a zip.")] = None,
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
    """Upload files: a text, a CSV, a zip of pictures, IDX. What they are is guessed."""
    given = {
        "file": file,
        "images": images,
        "labels": labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }
    named = {role: path for role, path in given.items() if path is not None}
    name, guessed = _what(what, name, type_, named)
    spec = {
        "name": name,
        "type": guessed.type,
        "sequences": "stream" if stream else None,
        "classes": classes.split(",") if classes else None,
        "on_error": on_error,
        "source": source,
        "licence": licence,
    }
    said = {key: value for key, value in spec.items() if value is not None}
    said |= job_body(file=None, top={}, training={}, metadata=[], settings=settings or [])
    send(said, guessed.files, url=url, dry_run=dry_run, json=json)


def _what(
    what: list[str], name: str | None, type_: str | None, named: dict[str, Path]
) -> tuple[str, Guess]:
    """Tell files from a name, and what they are."""
    if named:
        if len(what) != 1 or name is not None:
            message = "with --file or --images, say only the name before"
            raise typer.BadParameter(message)
        return what[0], Guess(type_ or ("text" if "file" in named else "idx"), named)
    files = [Path(each) for each in what]
    missing = next((each for each in files if not each.is_file()), None)
    if missing is not None:
        message = f"{missing} is no file; name files, or give --file, or --images and --labels"
        raise typer.BadParameter(message)
    guessed = guess(files, type_)
    if guessed is None:
        message = "it is not clear what these files are; say it with --type"
        raise typer.BadParameter(message)
    return name or name_of(files[0]), guessed


@app.command("delete")
def delete_dataset(name: Name, url: options.Url = options.DEFAULT_URL) -> None:
    """Delete a dataset that no unfinished job uses."""
    with connect(url) as client:
        client.delete_dataset(name)
    output.results.print(f"{name} is deleted.", markup=False)
