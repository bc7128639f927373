"""Words become batches that hold every word once, each after the word that stands before it."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# torch leaves tolist untyped.

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.tasks.base import Batch
from service.tasks.sequences import IGNORED, LineExamples, StreamExamples

LINES = st.lists(st.lists(st.integers(2, 9), max_size=12), min_size=1, max_size=12)


def line_examples(lines: list[list[int]], sequence_length: int) -> LineExamples:
    """Make examples of lines of word indices; each gets its <eos>, index 1."""
    targets = np.array([token for line in lines for token in [*line, 1]])
    return LineExamples(targets, np.array([len(line) + 1 for line in lines]), sequence_length)


def pairs(batch: Batch) -> list[tuple[int, int]]:
    kept = batch.targets != IGNORED
    return list(zip(batch.inputs[kept].tolist(), batch.targets[kept].tolist(), strict=True))


@given(LINES, st.integers(1, 6), st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_of_lines_predicts_every_word_and_end_once(
    lines: list[list[int]], sequence_length: int, batch_size: int, epoch: int
) -> None:
    examples = line_examples(lines, sequence_length)
    batches = [
        examples.batch(epoch=epoch, position=position, batch_size=batch_size, seed=5)
        for position in range(examples.steps_per_epoch(batch_size))
    ]
    expected = [pair for line in lines for pair in zip([1, *line], [*line, 1], strict=True)]
    assert sorted(pair for batch in batches for pair in pairs(batch)) == sorted(expected)
    assert all(batch.weight == len(pairs(batch)) for batch in batches)
    assert all(batch.inputs.shape[1] <= sequence_length for batch in batches)


@given(LINES, st.integers(1, 9))
def test_validation_takes_the_lines_in_their_order(lines: list[list[int]], batch_size: int) -> None:
    batches = line_examples(lines, 64).in_order(batch_size)
    expected = [pair for line in lines for pair in zip([1, *line], [*line, 1], strict=True)]
    assert [pair for batch in batches for pair in pairs(batch)] == expected


@given(st.lists(st.integers(1, 9), min_size=1, max_size=80), st.integers(1, 9), st.integers(1, 9))
def test_every_row_of_a_stream_goes_on_where_it_ended(
    words: list[int], batch_size: int, sequence_length: int
) -> None:
    stream = StreamExamples(np.array(words), first_input=3, sequence_length=sequence_length)
    batches = list(stream.in_order(batch_size))
    assert len(batches) == stream.steps_per_epoch(batch_size)
    inputs = torch.cat([batch.inputs for batch in batches], dim=1).flatten()
    targets = torch.cat([batch.targets for batch in batches], dim=1).flatten()
    kept = targets != IGNORED
    assert targets[kept].tolist() == words
    assert inputs[kept].tolist() == [3, *words[:-1]]
    assert all(batch.weight == len(pairs(batch)) > 0 for batch in batches)
