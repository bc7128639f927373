"""`trainyard datasets preview` and `… statistics`: see what a dataset holds."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli import options, output
from service.cli.clients import connect
from service.domain.looking import DatasetPreview, DatasetStatistics

Name = Annotated[str, typer.Argument(help="Name of the dataset.")]
SHORT = 5

_MAX_CELL = 60


def show_preview(
    name: Name,
    *,
    rows: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 10,
    save: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Pictures: a PNG of them, with labels.")
    ] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Show the first rows of a dataset; of pictures some of every class."""
    with connect(url, timeout=120) as client:
        if save is not None:
            save.write_bytes(client.preview_pictures(name, rows=rows))
            output.messages.print(f"{save} shows them.", markup=False)
            return
        preview = client.preview_dataset(name, rows=rows)
    if json:
        output.print_json(preview)
        return
    print_preview(preview)


def print_preview(preview: DatasetPreview) -> None:
    """Print the rows as a table."""
    columns = list(dict.fromkeys(name for row in preview.rows for name in row))
    rows = [[_cell(row.get(name)) for name in columns] for row in preview.rows]
    output.print_table(columns, rows, unbroken=0)
    more = preview.total - len(preview.rows)
    if more > 0:
        output.messages.print(f"… and {more:,} more")


def show_statistics(
    name: Name, url: options.Url = options.DEFAULT_URL, json: options.Json = False
) -> None:
    """Count and measure what a dataset holds."""
    with connect(url, timeout=120) as client:
        told = client.measure_dataset(name)
    if json:
        output.print_json(told)
        return
    _print_statistics(told)


def _print_statistics(told: DatasetStatistics) -> None:
    fields = [
        ("dataset", told.name),
        ("type", told.type),
        ("sha256", told.sha256),
        ("source", told.source or "-"),
        ("licence", told.licence or "-"),
        ("examples", f"{told.examples:,}, of which {told.examined:,} were examined"),
    ]
    if told.vocabulary is not None:
        words = told.vocabulary
        covered = ", ".join(f"{each.words:,}: {each.share:.1%}" for each in words.coverage)
        fields += [
            ("words", f"{words.words:,}, {words.distinct:,} distinct, {words.once:,} once"),
            ("covered by", covered),
            ("most frequent", " ".join(words.most_frequent)),
        ]
        if words.unknown_in_validation is not None:
            fields.append(("unknown in validation", f"{words.unknown_in_validation:.2%}"))
    for channel, pixels in enumerate(told.pixels):
        text = f"mean {output.number(pixels.mean)}, deviation {output.number(pixels.deviation)}"
        fields.append((f"channel {channel}", text))
    output.print_fields(fields)
    if told.classes:
        rows = [[each.label, f"{each.training:,}", f"{each.validation:,}"] for each in told.classes]
        output.print_table(["class", "training", "validation"], rows)
    if told.lengths:
        bars = [[f"{each.low} to {each.high}", f"{each.count:,}"] for each in told.lengths]
        output.print_table(["words", "examples"], bars)
    if told.columns:
        _print_columns(told)


def _print_columns(told: DatasetStatistics) -> None:
    heads = ["column", "kind", "missing", "mean", "deviation", "least", "median", "greatest"]
    rows: list[list[str]] = []
    for each in told.columns:
        name = f"{each.name} (target)" if each.name == told.target else each.name
        numbers = [each.mean, each.deviation, *map(each.quantiles.get, ("0", "50", "100"))]
        shown = [output.number(value) for value in [*numbers, each.correlation]]
        rows.append([name, each.kind, f"{each.missing:,}", *shown])
    output.print_table([*heads, "correlation"], rows)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return output.number(value)
    text = "-" if value is None else str(value)
    return text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…"
