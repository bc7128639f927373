"""Weights of a text classifier for other words and classes: rows go by name on both axes."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

from typing import Any

import pytest
import torch
from safetensors.torch import save

from service.catalogue import Catalogue, Trainable
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from tests.tasks.data import a_text
from tests.tasks.test_text_classification import texts_of

CATALOGUE = Catalogue.installed()
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "mlp": {"type": "mlp", "hidden_sizes": [5], "embedding_size": 4},
    "rnn": {"type": "rnn", "hidden_size": 5},
    "lstm": {"type": "lstm", "hidden_size": 5, "embedding_size": 4, "bidirectional": True},
    "transformer": {"type": "transformer", "layers": 1, "heads": 2, "width": 8, "context": 8},
}
TABLES = {
    "mlp": ("0.embedding.weight", "3.weight"),
    "rnn": ("rnn.layers.0.W_xu", "rnn.W_yx"),
    "lstm": ("rnn.embedding.weight", "rnn.W_yx"),
    "transformer": ("trunk.embedding.weight", "head.weight"),
}


def built(architecture: str, words: str, labels: str, *, seed: int) -> tuple[Trainable, JobSpec]:
    """Build a model of texts of one word each; each class has one to train and one to validate."""
    texts = [f"{word} {part}" for word in words.split() for part in ("x", "y")]
    classes = [label for label in labels.split() for _ in range(2)]
    data = texts_of(texts, classes, [False, True] * len(labels.split()))
    facts = DatasetFacts(id="ds_1", name="any", sha256="0", facts=data.facts, files=[])
    request = CATALOGUE.job_request.model_validate(
        {
            "dataset": {"name": "any", "tokenizer": "word"},
            "architecture": ARCHITECTURES[architecture],
            "training": {"seed": seed},
        }
    )
    spec = CATALOGUE.resolve(request, facts)
    return CATALOGUE.build(spec, data), spec


@pytest.mark.parametrize("architecture", [*ARCHITECTURES])
def test_words_and_classes_are_taken_over_by_name_never_by_place(architecture: str) -> None:
    old, old_spec = built(architecture, "aa bb cc", "one three two", seed=1)
    new, spec = built(architecture, "cc dd bb", "two one zero", seed=2)
    before = {name: each.clone() for name, each in new.model.state_dict().items()}

    inherited = CATALOGUE.inherit(
        new,
        spec,
        trained_as=old_spec.architecture,
        weights=save(dict(old.model.state_dict())),
        preparation=old.task.preparation(),
    )

    words, classes = TABLES[architecture]
    for table, axis in ((words, "words"), (classes, "classes")):
        of_old, of_new = old.task.names[axis], new.task.names[axis]  # pyright: ignore[reportArgumentType]
        dimension = int(table.endswith("W_xu"))
        now, then = new.model.state_dict()[table], old.model.state_dict()[table]
        for place, name in enumerate(of_new):
            row = now.select(dimension, place)
            known = name in of_old
            expected = then if known else before[table]
            at = list(of_old).index(name) if known else place
            assert torch.equal(row, expected.select(dimension, at)), (axis, name)
    assert inherited.fresh_tensors == []
    assert (inherited.taken, inherited.fresh, inherited.forgotten) == (7, 2, 2)


@pytest.mark.parametrize("dataset", [{}, {"tokenizer": "word"}])
def test_a_tokenizer_at_its_default_leaves_specs_of_next_words_as_they_were(
    dataset: dict[str, Any],
) -> None:
    text = texts_of(["a", "b"], ["x", "y"]).facts
    labelled = DatasetFacts(id="ds_1", name="any", sha256="0", facts=text, files=[])
    assert "tokenizer" in _options(labelled, dataset)  # it came with this task

    assert "tokenizer" not in _options(_a_text(), dataset)


def _options(facts: DatasetFacts, dataset: dict[str, Any]) -> dict[str, Any]:
    body = {"dataset": {"name": "any", **dataset}, "architecture": {"type": "rnn"}}
    request = CATALOGUE.job_request.model_validate(body)
    return CATALOGUE.resolve(request, facts).dataset.options


def _a_text() -> DatasetFacts:
    return DatasetFacts(id="ds_1", name="any", sha256="0", facts=a_text().facts, files=[])
