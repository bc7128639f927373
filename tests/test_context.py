"""A model that sees only so many tokens at once, from the request to the prediction."""

from typing import Any, cast

import pytest
import torch

from service.architectures.transformer import Decoder
from service.catalogue import Catalogue
from service.catalogue.resolving import parameter_count
from service.datasets import splits
from service.datasets.base import TextData
from service.domain.datasets import CsvFormat, DatasetFacts, LabelledTextFacts
from service.domain.problems import Invalid
from service.tasks import next_word
from service.tasks.next_word import NextWord, NextWordOptions
from service.training.loop import train
from tests.training.parts import CPU, MemoryRecorder, text_data

CATALOGUE = Catalogue.installed()
SMALL: dict[str, Any] = {"type": "transformer", "layers": 1, "heads": 2, "width": 8}
LABELLED = LabelledTextFacts(
    format=CsvFormat(encoding="utf-8", delimiter=",", quoting=True, header=True, missing=[]),
    text="text",
    label="label",
    longest=9,
    test_examples=0,
    examples=40,
    words=200,
    distinct_words=30,
    classes=["a", "b"],
    examples_per_class=[20, 20],
)


def resolved(facts: Any, context: int, **options: Any) -> Any:
    body = {
        "dataset": {"name": "some", **options},
        "architecture": {**SMALL, "context": context},
        "training": {"epochs": 1, "batch_size": 4, "device": "cpu"},
    }
    request = CATALOGUE.job_request.model_validate(body)
    return CATALOGUE.resolve(
        request, DatasetFacts(id="ds_1", name="some", sha256="ab", facts=facts, files=[])
    )


def length_of(facts: Any, context: int, **options: Any) -> Any:
    return resolved(facts, context, **options).dataset.options["sequence_length"]


@pytest.mark.parametrize("sequences", ["lines", "stream"])
def test_windows_are_as_long_as_the_context_unless_the_job_says(sequences: Any) -> None:
    facts = text_data(sequences).facts
    assert length_of(facts, 20) == 20
    assert length_of(facts, 20, sequence_length=7) == 7


def test_texts_with_labels_are_cut_to_the_context_only_where_it_is_shorter() -> None:
    assert length_of(LABELLED, 20) == 20
    assert length_of(LABELLED, 300) == 256


@pytest.mark.parametrize("facts", [text_data().facts, LABELLED])
def test_windows_longer_than_the_context_are_refused(facts: Any) -> None:
    with pytest.raises(Invalid) as caught:
        length_of(facts, 20, sequence_length=21)

    assert [error.pointer for error in caught.value.errors] == ["/dataset/sequence_length"]
    assert "20 tokens" in caught.value.detail


def test_windows_of_running_text_stand_alone_in_any_order_unless_the_job_says() -> None:
    data = text_data("stream")
    trainable = CATALOGUE.build(resolved(data.facts, 8), data)
    batch = trainable.train.batch(epoch=0, position=0, batch_size=4, seed=1)
    carried = resolved(data.facts, 8, windows="carried")

    assert trainable.task.loss(trainable.model, batch, None)[1] is None
    assert batch.inputs.shape == (4, 8)
    assert carried.dataset.options["windows"] == "carried"
    _, carry = CATALOGUE.build(carried, data).task.loss(trainable.model, batch, None)
    assert carry is not None
    assert torch.equal(carry, batch.inputs[:, 4:])


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_plan_counts_the_batches_of_windows_that_stand_alone(batch_size: int) -> None:
    data = text_data("stream")
    places = 6 * len(data.lines)
    facts = data.facts.model_copy(
        update={"training_examples": places - splits.held_out(places, splits.VALIDATION_FRACTION)}
    )
    options = NextWordOptions(windows="shuffled", sequence_length=7)

    prepared = next_word.prepare(data, options)

    expected = next_word.steps_per_epoch(facts, options, batch_size)
    assert prepared.train.steps_per_epoch(batch_size) == expected


def a_trained(data: TextData) -> tuple[Decoder, NextWord]:
    spec = resolved(data.facts, 4)
    trainable = CATALOGUE.build(spec, data)
    train(trainable, spec, MemoryRecorder(), device=CPU)
    model = cast("Decoder", trainable.model)
    return model.eval(), cast("NextWord", trainable.task)


def test_a_long_prompt_is_told_from_its_last_words_and_a_warning_says_so() -> None:
    model, task = a_trained(text_data("stream"))
    prompts = ["I like rice and soup", "you eat tofu I like rice and soup", "rice and soup"]
    encoded = task.encode(prompts)

    logits = task.infer(model, encoded)

    torch.testing.assert_close(logits[0], logits[1])
    assert not torch.allclose(logits[1], logits[2])
    assert ["last 4 of 5" in " ".join(each) for each in encoded.warnings] == [True, False, False]
    assert "last 4 of 8" in encoded.warnings[1][0]
    assert encoded.warnings[2] == []


def test_a_plan_counts_the_parameters_that_are_built() -> None:
    data = text_data()
    for options in ({}, {"tied_embeddings": True}, {"mlp": "swiglu", "positions": "learned"}):
        spec = resolved(data.facts, 8)
        architecture = spec.architecture.model_copy(update=options)
        spec = spec.model_copy(update={"architecture": architecture})
        facts = DatasetFacts(id="ds_1", name="some", sha256="ab", facts=data.facts, files=[])

        assert CATALOGUE.plan(spec, facts).parameters == parameter_count(
            CATALOGUE.build(spec, data).model
        )
