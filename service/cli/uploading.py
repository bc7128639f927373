"""Sending data with a bar, and telling what became of them: facts, findings, the first rows."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from service.cli import output
from service.cli.clients import connect
from service.cli.findings import print_findings, print_refusal
from service.cli.looking import SHORT, print_preview
from service.client import InvalidError
from service.client.call import File
from service.domain.datasets import (
    AnyFacts,
    Dataset,
    DatasetReport,
    ImageFacts,
    LabelledTextFacts,
    TableFacts,
)

UPLOAD_SECONDS = 600.0


def send(
    spec: Mapping[str, Any],
    files: Mapping[str, Path],
    *,
    url: str,
    dry_run: bool,
    json: bool,
) -> None:
    """Upload and tell what was found; a dry run ends with 1 where data would be refused."""
    with connect(url, timeout=UPLOAD_SECONDS) as client, ExitStack() as opened:
        sent = _with_progress(files, opened)
        try:
            if dry_run:
                _print_report(client.check_dataset(spec, sent), json=json)
                return
            dataset = client.add_dataset(spec, sent)
        except InvalidError as error:
            opened.close()
            if not json:
                print_refusal(error, files)
            raise
        opened.close()
        if json:
            output.print_json(dataset)
            return
        print_dataset(dataset, json=False)
        print_findings(dataset.findings)
        print_preview(client.preview_dataset(dataset.name, rows=SHORT))


def _with_progress(files: Mapping[str, Path], opened: ExitStack) -> dict[str, File]:
    """Open the files so that a bar shows how much of each has been sent."""
    progress = opened.enter_context(
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=output.messages,
            disable=not output.messages.is_terminal,
            transient=True,
        )
    )
    return {
        role: opened.enter_context(progress.open(path, "rb", description=path.name))
        for role, path in files.items()
    }


def _print_report(report: DatasetReport, *, json: bool) -> None:
    if json:
        output.print_json(report)
    else:
        verdict = "would be taken in" if report.accepted else "would be refused"
        output.results.print(f"{report.name} ({report.type}) {verdict}", markup=False)
        if report.facts is not None:
            output.results.print(holds(report.facts), markup=False)
        print_findings(report.findings)
    if not report.accepted:
        raise typer.Exit(1)


def holds(facts: AnyFacts) -> str:
    """Say in a few words how much a dataset holds."""
    if isinstance(facts, ImageFacts):
        picture = f"{facts.channels}x{facts.height}x{facts.width}"
        return f"{facts.examples:,} + {facts.test_examples:,} images {picture}"
    if isinstance(facts, LabelledTextFacts):
        return f"{facts.examples:,} texts of {len(facts.classes):,} classes, {facts.words:,} words"
    if isinstance(facts, TableFacts):
        return f"{facts.rows:,} rows of {len(facts.columns):,} columns, target {facts.target}"
    return f"{facts.lines:,} lines, {facts.words:,} words, {facts.distinct_words:,} distinct"


def size(dataset: Dataset) -> str:
    """Write how large it is, and whether it is here."""
    written = output.size(dataset.bytes)
    return written if dataset.downloaded else f"{written}, not downloaded yet"


def print_dataset(dataset: Dataset, *, json: bool) -> None:
    """Print what is known of a dataset."""
    if json:
        output.print_json(dataset)
        return
    fields = [
        ("dataset", dataset.name),
        ("type", dataset.type),
        ("holds", holds(dataset.facts)),
        ("sha256", dataset.sha256),
        ("bytes", size(dataset)),
        ("source", dataset.source or "-"),
        ("licence", dataset.licence or "-"),
        *[(one.role, f"{output.size(one.bytes)} {one.sha256}") for one in dataset.files],
    ]
    if isinstance(dataset.facts, ImageFacts | LabelledTextFacts):
        fields.append(("classes", ", ".join(dataset.facts.classes)))
    output.print_fields(fields)
