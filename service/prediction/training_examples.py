"""The training examples of a model, as they are found again in its dataset, to be shown.

Of many only some are taken, evenly from first to last, so that the same are taken every time.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import isnan
from sys import getsizeof
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from service.architectures.base import SequenceModel, WithContext, WithOutput
from service.datasets.base import Data, ImageData, LabelledTextData, TableData, TextData
from service.datasets.examples import spread
from service.datasets.pictures import as_image, as_png
from service.datasets.words import END, END_INDEX, UNKNOWN_INDEX
from service.domain.evidence import Neighbour
from service.prediction.hidden import NoLastLayer, read_by_last_layer
from service.tasks.base import Addressed, Batch, Encoded, Prepared, Task, bare
from service.tasks.next_word import NextWord
from service.tasks.sequences import LineExamples, StreamExamples

WINDOW = 32
"""Words of a text that are read from the beginning of a line on, or of a part of a long line."""

_SHOWN = 200  # characters

Read = Callable[[nn.Module, int, int], Tensor]
Shown = Callable[[int], Neighbour]


@dataclass(frozen=True, kw_only=True)
class TrainingExamples:
    """`count` things to read, of which `read(model, first, last)` gives vectors (some, hidden).

    `shown(number)` tells what a vector stands for, at a distance of 0. `examples` are there in all.
    `read` needs the dataset; `shown` can be kept without it, and holds `bytes`.
    """

    count: int
    read: Read
    shown: Shown
    examples: int
    bytes: int


def gather(
    data: Data, prepared: Prepared, task: Task, model: nn.Module, *, target: str | None, most: int
) -> TrainingExamples:
    """Choose at most so many examples. Raises NoLastLayer for what cannot be read."""
    places = prepared.places
    if places is None:
        raise NoLastLayer
    if isinstance(data, TextData):
        if not isinstance(task, NextWord):
            raise NoLastLayer
        return _windows(data, prepared, task, model, places, most)
    if not isinstance(prepared.train, Addressed):
        raise NoLastLayer
    numbers = spread(len(places), most)
    chosen, train = torch.tensor(numbers), prepared.train
    shown, held = _shown(data, prepared, task, places[numbers], chosen, target)

    def read(model: nn.Module, first: int, last: int) -> Tensor:
        inputs = train.at(chosen[first:last]).inputs
        return read_by_last_layer(lambda: task.infer(model, bare(inputs)))

    return TrainingExamples(
        count=len(numbers), read=read, shown=shown, examples=len(places), bytes=held
    )


def read_input(task: Task, model: nn.Module, encoded: Encoded, number: int) -> Tensor:
    """Return what the last layer reads of one input (hidden,), where it answers. NoLastLayer."""
    one = Encoded(
        encoded.tensor[number : number + 1],
        encoded.lengths[number : number + 1],
        [[]],
        [[]],
    )
    read = read_by_last_layer(lambda: task.infer(model, one))
    return read.flatten(0, -2)[-1]  # of a text, after its last word


def _shown(
    data: Data,
    prepared: Prepared,
    task: Task,
    places: NDArray[np.int64],
    chosen: Tensor,
    target: str | None,
) -> tuple[Shown, int]:
    """Return what shows the examples at these places, and how many bytes that holds."""
    batch = cast("Addressed", prepared.train).at(chosen)
    labels = _labels(task, batch)
    if isinstance(data, ImageData):
        images = batch.inputs.numpy().copy()

        def picture(number: int) -> Neighbour:
            png = b64encode(as_png(as_image(images[number]))).decode()
            index = int(places[number])
            return Neighbour(
                index=index,
                picture=png,
                label=None if labels is None else labels[number],
                distance=0,
            )

        return picture, images.nbytes + places.nbytes + _held(labels)
    lines = None if data.numbers is None else data.numbers[places].tolist()
    excerpts = _excerpts(data, places, target)
    values = None if labels is not None else _values(data, target, places)

    def row(number: int) -> Neighbour:
        return Neighbour(
            line=None if lines is None else lines[number],
            excerpt=excerpts[number],
            label=None if labels is None else labels[number],
            value=None if values is None else values[number],
            distance=0,
        )

    return row, _held(lines, excerpts, labels, values)


def _labels(task: Task, batch: Batch) -> list[str] | None:
    """Return the names of the classes; None where the targets are numbers."""
    if batch.targets.is_floating_point():
        return None
    classes = task.names["classes"]
    indices = cast("list[int]", batch.targets.tolist())
    return [classes[index] for index in indices]


def _excerpts(data: Data, places: NDArray[np.int64], target: str | None) -> list[str]:
    chosen: list[int] = places.tolist()
    if isinstance(data, LabelledTextData):
        return [_beginning(data.texts[place]) for place in chosen]
    if not isinstance(data, TableData):
        return ["" for _ in chosen]
    columns = {name: values for name, values in data.columns.items() if name != target}
    return [
        _beginning(", ".join(_cell(name, values[place]) for name, values in columns.items()))
        for place in chosen
    ]


def _values(data: Data, target: str | None, places: NDArray[np.int64]) -> list[float] | None:
    if not isinstance(data, TableData) or target is None:
        return None
    return np.asarray(data.columns[target], dtype=np.float64)[places].tolist()


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _end(text: str) -> str:
    return text if len(text) <= _SHOWN else f"…{text[-_SHOWN:]}"


def _cell(name: str, cell: float | str | None) -> str:
    if cell is None or (not isinstance(cell, str) and isnan(cell)):
        return f"{name}="
    return f"{name}={cell}" if isinstance(cell, str) else f"{name}={cell:.15g}"


def _windows(
    data: TextData,
    prepared: Prepared,
    task: NextWord,
    model: nn.Module,
    places: NDArray[np.int64],
    most: int,
) -> TrainingExamples:
    """Take parts of lines, each read from `<eos>` on as a prompt is; every word is an example."""
    targets = _words(prepared)
    window = min(WINDOW, model.context - 1) if isinstance(model, WithContext) else WINDOW
    if window < 1:
        raise NoLastLayer
    lines = [int(places[at]) for at in spread(len(places), max(1, most * len(places) // targets))]
    last = targets if len(places) == 1 else None  # of one line alone, what does not validate
    parts = [
        (line, tokens[first : first + window + 1])
        for line in lines
        for tokens in [[*task.tokenizer.split(data.lines[line])[:last], END]]
        for first in range(0, len(tokens) - 1, window)
    ]
    parts = [parts[at] for at in spread(len(parts), max(1, most // window))]
    known = task.vocabulary.indices

    def read(model: nn.Module, first: int, last: int) -> Tensor:
        rows = [
            [known.get(token, UNKNOWN_INDEX) for token in part] for _, part in parts[first:last]
        ]
        longest = max(map(len, rows))
        filled = [[END_INDEX, *row[:-1], *[END_INDEX] * (longest - len(row))] for row in rows]
        vectors = _after_every_word(model, torch.tensor(filled))
        return torch.cat([each[1 : len(row)] for each, row in zip(vectors, rows, strict=True)])

    shown, held = _shown_words(data, task, parts)
    return TrainingExamples(count=len(parts), read=read, shown=shown, examples=targets, bytes=held)


def _shown_words(
    data: TextData, task: NextWord, parts: list[tuple[int, list[str]]]
) -> tuple[Shown, int]:
    """Return what shows the words of these parts of lines, and how many bytes that holds."""
    lines: list[int | None] = []
    excerpts: list[str] = []
    followed: list[str] = []
    for place, tokens in parts:
        line = None if data.numbers is None else int(data.numbers[place])
        text = ""
        for token, following in pairwise(tokens):
            text += task.tokenizer.behind(text, token)
            lines.append(line)
            excerpts.append(_end(text))
            followed.append(task.tokenizer.shown(following))

    def word(number: int) -> Neighbour:
        return Neighbour(
            line=lines[number], excerpt=excerpts[number], token=followed[number], distance=0
        )

    return word, _held(lines, excerpts, followed)


def _held(*lists: list[int | None] | list[str] | list[float] | None) -> int:
    """Count the bytes of lists and of what is in them, each thing once."""
    kept = [each for each in lists if each is not None]
    things = {id(thing): getsizeof(thing) for each in kept for thing in each}
    return sum(map(getsizeof, kept)) + sum(things.values())


def _words(prepared: Prepared) -> int:
    """Count what the training predicts."""
    train = prepared.train
    if not isinstance(train, LineExamples | StreamExamples):
        raise NoLastLayer
    return len(train.targets)


def _after_every_word(model: nn.Module, tokens: Tensor) -> Tensor:
    """Return what the last layer reads (batch, time, hidden)."""
    device = next(model.parameters()).device
    state = cast("SequenceModel", model).initial_state(len(tokens))
    if isinstance(model, WithOutput):
        with torch.inference_mode():
            return model.hidden(tokens.to(device), state)[0].float().cpu()
    return read_by_last_layer(lambda: model(tokens.to(device), state))
