"""A model that sees only so many tokens at once, from the request to the prediction."""

from typing import Any, cast

import pytest
import torch

from service.architectures.transformer import Decoder
from service.catalogue import Catalogue
from service.catalogue.resolving import parameter_count
from service.datasets import splits
from service.datasets.base import TextData
from service.domain.datasets import CsvFormat, DatasetFacts, LabelledTextFacts, TextFacts
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


def request_of(context: int, *, batch_size: int = 4, **options: Any) -> Any:
    return CATALOGUE.job_request.model_validate(
        {
            "dataset": {"name": "some", **options},
            "architecture": {**SMALL, "context": context},
            "training": {"epochs": 1, "batch_size": batch_size, "device": "cpu"},
        }
    )


def resolved(facts: Any, context: int, *, batch_size: int = 4, **options: Any) -> Any:
    return CATALOGUE.resolve(
        request_of(context, batch_size=batch_size, **options),
        DatasetFacts(id="ds_1", name="some", sha256="ab", facts=facts, files=[]),
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


def planned_bytes(context: int, batch_size: int, vocabulary: int = 20) -> int:
    """Plan a job on long running text; return the memory that it says."""
    facts = TextFacts(
        sequences="stream",
        lines=100,
        words=1_000_000,
        distinct_words=vocabulary,
        vocabulary_sizes=[vocabulary],
    )
    text = DatasetFacts(id="ds_1", name="some", sha256="ab", facts=facts, files=[])
    return CATALOGUE.plan(resolved(facts, context, batch_size=batch_size), text).memory_bytes


def test_a_plan_counts_logits_and_no_product_of_all_pairs_of_a_context() -> None:
    short, long = planned_bytes(256, batch_size=64), planned_bytes(4096, batch_size=4)

    assert short == pytest.approx(long, rel=0.05)  # as many tokens; pairs would be 16 times as many
    more_words = planned_bytes(256, batch_size=64, vocabulary=1020)
    assert more_words - short >= 4 * 1000 * 64 * 256


def test_a_context_that_cannot_fit_into_memory_is_refused_and_a_smaller_one_is_not() -> None:
    facts = text_data("stream").facts.model_copy(update={"words": 1_000_000})
    text = DatasetFacts(id="ds_1", name="some", sha256="ab", facts=facts, files=[])
    catalogue = Catalogue.installed(max_memory_bytes=100_000_000)
    catalogue.resolve(request_of(128, batch_size=8), text)

    with pytest.raises(Invalid) as caught:
        catalogue.resolve(request_of(4096, batch_size=64), text)

    pointers = [error.pointer for error in caught.value.errors]
    assert pointers == ["/architecture/context", "/training/batch_size"]
