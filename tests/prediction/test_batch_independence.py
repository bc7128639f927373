"""An answer does not depend on what was asked beside it: the tolerance, over the whole catalogue.

What goes through a model together is computed by other kernels, which add in another order; that is
rounding, and all that may differ.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from service.catalogue import building
from service.catalogue.resolving import read_options
from service.domain.components import Component
from service.domain.predictions import Input, Prediction, TokenCandidate
from service.prediction.batching import Answer, Batcher, Loaded
from service.prediction.first_run import run_once
from service.prediction.hidden import read_by_last_layer
from tests.prediction.test_evidence import CHOICES, INSTALLED, PIXELS, data_of

TOLERANCE = 1e-5
"""Of logarithms of probabilities, and of values in their own unit, relative or absolute."""

WORDS = [
    "i",
    "you like eating rice",
    "",
    "we like",
    "zzz soup with tea " * 12,
    "like " * 70,
    "i like",
]
INPUTS: dict[str, Sequence[Input]] = {
    "text": WORDS,
    "labelled_text": WORDS,
    "table": [{"hour": hour, "sky": "fog", "power": 2.5} for hour in range(7)],
    "idx": [image.tolist() for image in PIXELS[:7]],
}


def a_model(task: str, kind: str, options: dict[str, Any], architecture: str) -> Loaded:
    """Make a model of random weights: whose answers differ from input to input."""
    known = INSTALLED.tasks[task]
    prepared = known.prepare(data_of(kind), read_options(known.options, options, "/dataset"))
    component = Component.model_validate({"type": architecture})
    model = building.seeded_model(INSTALLED, component, prepared.task.shape, seed=2)
    return Loaded(model.eval(), prepared.task)


def inputs_of(kind: str, options: dict[str, Any]) -> list[Input]:
    target = options.get("target")
    return [
        {name: value for name, value in each.items() if name != target}
        if isinstance(each, dict)
        else each
        for each in INPUTS[kind]
    ]


def answers(loaded: Loaded, requests: Sequence[Sequence[Input]]) -> list[Answer]:
    """Send requests at once: what waits when the model is free goes through it together."""

    async def main() -> list[Answer]:
        batcher = Batcher()
        encoded = [loaded.task.encode(inputs) for inputs in requests]
        asked = (batcher.answer(loaded, each, top_k=1000, special_tokens=True) for each in encoded)
        answered = await asyncio.gather(*asked)
        batcher.close()
        return answered

    return asyncio.run(main())


def numbers(prediction: Prediction) -> dict[str, float]:
    """Return what was answered: of each candidate the logarithm, or the value."""
    if prediction.value is not None:
        return {"value": prediction.value}
    return {
        each.token if isinstance(each, TokenCandidate) else each.label: each.logprob
        for each in prediction.candidates
    }


@pytest.mark.parametrize(("task", "kind", "options", "architecture"), CHOICES)
def test_an_answer_does_not_depend_on_what_else_is_in_the_batch(
    task: str, kind: str, options: dict[str, Any], architecture: str
) -> None:
    loaded = a_model(task, kind, options, architecture)
    inputs = inputs_of(kind, options)
    requests = [inputs[:2], inputs[2:3], inputs[3:6], inputs[6:]]

    together = answers(loaded, requests)
    alone = [answers(loaded, [[each]])[0].predictions[0] for each in inputs]

    assert {answer.batch_size for answer in together} == {len(inputs)}
    told = [prediction for answer in together for prediction in answer.predictions]
    assert len({str(numbers(each)) for each in told}) > 1  # inputs that differ, answers that do
    for one, other in zip(told, alone, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), rel=TOLERANCE, abs=TOLERANCE)
        assert (one.unknown, one.warnings) == (other.unknown, other.warnings)


@pytest.mark.parametrize(("task", "kind", "options", "architecture"), CHOICES)
def test_every_model_can_be_run_once_before_it_is_asked(
    task: str, kind: str, options: dict[str, Any], architecture: str
) -> None:
    loaded = a_model(task, kind, options, architecture)

    assert len(read_by_last_layer(lambda: run_once(loaded))) == 1
