"""`trainyard predict`: ask a model about texts, image files or rows of a table."""

from collections.abc import Sequence
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from service.cli import options, output
from service.cli.clients import connect
from service.domain.evidence import MAX_NEIGHBOURS, Neighbour
from service.domain.predictions import Prediction, TokenCandidate

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
BAR_WIDTH = 20


def predict(
    model: Annotated[str, typer.Argument(help="Name, name@3, mdl_…, ckpt_… or job_….")],
    inputs: Annotated[
        list[str], typer.Argument(help='Texts, PNG and JPEG files, or rows as {"hour": 12}.')
    ],
    *,
    top_k: Annotated[int, typer.Option(min=1, max=1000, help="Candidates for each.")] = 5,
    special_tokens: Annotated[
        bool, typer.Option("--special-tokens", help="Also list <eos> and <unk>.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Probabilities as they are, not calibrated.")
    ] = False,
    abstain_below: Annotated[
        float | None, typer.Option(min=0, max=1, help="Say where even the best is less probable.")
    ] = None,
    evidence: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_NEIGHBOURS, help="So many of the nearest training examples, too."
        ),
    ] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Ask a model what comes next after a text, what an image shows, or what a row is worth."""
    asked = [as_input(text) for text in inputs]
    with connect(url) as client:
        answer = client.predict(
            model,
            asked,
            top_k=top_k,
            special_tokens=special_tokens,
            probabilities="raw" if raw else "calibrated",
            abstain_below=abstain_below,
            evidence=evidence,
        )
    if json:
        output.print_json(answer)
        return
    for one, prediction in zip(asked, answer.predictions, strict=True):
        _print_input(one)
        print_candidates(prediction)


def as_input(text: str) -> str | Path | dict[str, Any]:
    """Take what ends like an image file for one, a JSON object for a row, all else for a text."""
    if text.startswith("{"):
        try:
            return loads(text)
        except JSONDecodeError:
            return text
    path = Path(text)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return text
    if not path.is_file():
        message = f"{path} is no file"
        raise typer.BadParameter(message, param_hint="INPUTS")
    return path


def print_candidates(prediction: Prediction) -> None:
    """Print the value, or the candidates, best first, with probabilities and bars."""
    if prediction.value is not None:
        unit = "" if prediction.unit is None else f" {prediction.unit}"
        output.results.print(f"  {prediction.value:.6g}{escape(unit)}")
    for line in candidate_lines(prediction):
        output.results.print(f"  {escape(line)}")
    if prediction.abstained:
        output.results.print("  [yellow]not sure enough to say[/]")
    if prediction.unknown:
        words = ", ".join(prediction.unknown)
        output.results.print(f"  [yellow]unknown words: {escape(words)}[/]")
    for warning in prediction.warnings:
        output.results.print(f"  [yellow]{escape(warning)}[/]")
    for neighbour in prediction.evidence or []:
        output.results.print(f"  [dim]{escape(_evidence_line(neighbour))}[/]")


def candidate_lines(prediction: Prediction) -> Sequence[str]:
    """Write each candidate as name, percentage and bar."""
    named = [
        (one.token if isinstance(one, TokenCandidate) else one.label, one.probability)
        for one in prediction.candidates
    ]
    width = max((len(name) for name, _ in named), default=0)
    return [
        f"{name:<{width}}  {probability:6.1%}  {'▇' * round(BAR_WIDTH * probability)}"
        for name, probability in named
    ]


def _evidence_line(near: Neighbour) -> str:
    """Write a training example: where it stands, what it is, what it was trained to be."""
    place = f"picture {near.index}" if near.line is None else f"line {near.line}"
    told = near.label or near.token
    target = f"{near.value:.6g}" if near.value is not None else told
    shown = "" if near.excerpt is None else f" {near.excerpt}"
    return f"{place}:{shown} → {target} (distance {near.distance:.3g})"


def _print_input(one: str | Path | dict[str, Any]) -> None:
    shown = dumps(one, ensure_ascii=False) if isinstance(one, dict) else str(one)
    output.results.print(f"[bold]{escape(shown)}[/]")
    if isinstance(one, Path):
        from service.cli.pictures import picture  # noqa: PLC0415  brings PIL; words need none

        output.results.print(picture(one, output.results))
