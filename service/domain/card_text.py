"""A model card in Markdown, with the metadata in front that registries of models read (YAML)."""

import json
from collections.abc import Iterator

from service.domain.cards import ModelCard

_DAY = "%Y-%m-%d"
_MOST_CLASSES = 20


def markdown(card: ModelCard) -> str:
    """Write a card for people. Ends in a newline."""
    return "\n".join(_lines(card)).rstrip("\n") + "\n"


def _lines(card: ModelCard) -> Iterator[str]:
    name = card.id if card.model is None else f"{card.model}@{card.version}"
    yield from _front(card)
    yield f"# {_plain(name)}"
    yield ""
    if card.description:
        yield from (card.description, "")
    yield f"A `{card.architecture.type}` for {card.task.replace('_', ' ')}, trained on "
    yield f"`{_plain(card.dataset.name)}`. Made on {card.created_at.strftime(_DAY)}."
    yield ""
    yield from _worth(card)
    yield from _classes(card)
    if card.limits:
        yield "## Limits\n"
        yield from (f"- {limit}" for limit in card.limits)
        yield ""
    yield from _data(card)
    yield from _training(card)
    yield "## Weights\n"
    yield f"- {card.parameters:,} parameters, {card.bytes:,} bytes"
    yield f"- SHA-256 of the safetensors file: `{card.weights_sha256}`"
    yield f"- architecture: `{_json(card.architecture.options())}`"


def _front(card: ModelCard) -> Iterator[str]:
    """Give YAML as JSON, which is YAML: no text of a person can break it."""
    yield "---"
    yield f"tags: {_json([card.task, *card.tags])}"
    yield f"datasets: {_json([card.dataset.name])}"
    if card.dataset.licence:
        yield f"data_licence: {_json(card.dataset.licence)}"
    yield "---"
    yield ""


def _worth(card: ModelCard) -> Iterator[str]:
    yield "## What it is worth\n"
    yield "| metric | value | 95 % interval | simplest guess |"
    yield "| --- | ---: | --- | ---: |"
    intervals = card.evaluation.intervals if card.evaluation else {}
    guess = card.baseline.metrics if card.baseline else {}
    for name in dict.fromkeys([*card.metrics, *intervals]):
        interval = intervals.get(name)
        value = card.metrics.get(name, None if interval is None else interval.value)
        between = "" if interval is None else f"{interval.low:.4g} to {interval.high:.4g}"
        theirs = f"{guess[name]:.4g}" if name in guess else ""
        yield f"| {name} | {'' if value is None else f'{value:.4g}'} | {between} | {theirs} |"
    yield ""
    if card.baseline is not None:
        yield f"The simplest guess is `{card.baseline.name}`."
    if card.evaluation is not None:
        yield f"Measured on {card.evaluation.examples:,} examples that it never trained on."
        calibration = card.evaluation.calibration
        if calibration is not None:
            yield f"Expected calibration error {calibration.error_before:.3f}; with the "
            yield f"temperature {calibration.temperature:.3g}, {calibration.error_after:.3f}."
    yield ""


def _classes(card: ModelCard) -> Iterator[str]:
    reports = card.evaluation.classes if card.evaluation else []
    if not reports:
        return
    yield "| class | examples | precision | recall | F1 |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for each in reports[:_MOST_CLASSES]:
        precision = "" if each.precision is None else f"{each.precision:.3f}"
        numbers = f"{each.examples:,} | {precision} | {each.recall:.3f} | {each.f1:.3f}"
        yield f"| {_plain(each.label)} | {numbers} |"
    if len(reports) > _MOST_CLASSES:
        yield f"\n… and {len(reports) - _MOST_CLASSES} more classes."
    yield ""


def _data(card: ModelCard) -> Iterator[str]:
    data = card.dataset
    yield "## Data\n"
    yield f"- `{_plain(data.name)}`" + (f", SHA-256 `{data.sha256}`" if data.sha256 else "")
    if data.source:
        yield f"- source: {data.source}"
    if data.licence:
        yield f"- licence: {data.licence}"
    if data.options:
        yield f"- read with `{_json(data.options)}`"
    yield ""


def _training(card: ModelCard) -> Iterator[str]:
    trained = card.training
    if card.origin is not None:
        was = card.origin
        known_as = was.id if was.model is None else f"{was.model}@{was.version}"
        yield "## Origin\n"
        yield f"Brought in from another service, where it was `{_plain(known_as)}`."
        yield ""
    if trained is None:
        return
    yield "## Training\n"
    yield f"- job `{trained.job}`: {trained.steps:,} steps in {trained.seconds:,.1f} s"
    yield f"- optimizer `{_json(trained.optimizer.options())}`"
    yield f"- schedule `{_json(trained.schedule.options())}`"
    yield f"- batch size {trained.training.batch_size}, seed {trained.training.seed}"
    if trained.run is not None:
        run = trained.run
        yield f"- {run.device}, {run.threads} threads, {run.precision}, torch {run.torch}"
    if trained.begun_with is not None:
        yield f"- began with the weights of `{_plain(trained.begun_with)}`"
    yield ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("`", "'")


def _plain(text: str) -> str:
    """Keep names from breaking tables and code."""
    return text.replace("|", "\\|").replace("`", "'").replace("\n", " ")
