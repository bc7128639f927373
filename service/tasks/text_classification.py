"""Text classification: of which class is a text?

The loss is the mean cross-entropy over the texts of a batch. `val_f1` is of two classes the F1 of
the one that training has fewer of (the one that is looked for), of more the mean over all that
come up (macro F1). The baseline always guesses the class seen most.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from service.datasets import splits, tokenizers
from service.datasets.base import LabelledTextData
from service.datasets.tokenizers import Tokenizer
from service.datasets.words import SPECIAL, UNKNOWN_INDEX, tokenize
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.predictions import Input, Prediction
from service.domain.problems import invalid_field
from service.domain.shapes import Axis, TextClassShape
from service.tasks.base import Batch, Encoded, Prepared, TaskKind
from service.tasks.classes import cross_entropy, name_classes
from service.tasks.evaluating import ClassEvidence
from service.tasks.text_classification_options import (
    TextClassOptions,
    maximum,
    shape,
    steps_per_epoch,
)
from service.tasks.text_rows import TextRows, filled_up
from service.tasks.texts import by_length, read_texts, unlike_training

_TOKENS_AT_ONCE = 1 << 16  # bounds the memory of a model's states


class Rules(NamedTuple):
    """What was fixed when the data were prepared, beside the tokenizer."""

    classes: list[str]
    weights: list[float] | None  # of each class in the loss; their mean over the examples is 1
    looked_for: int | None  # the class whose F1 is told; None: the mean of all
    sequence_length: int
    lowercase: bool
    longest: int | None = None  # tokens of a text that trains; None: nobody counted


class TextClassification:
    """The task with its tokenizer and classes."""

    def __init__(self, tokenizer: Tokenizer, rules: Rules) -> None:
        self.tokenizer = tokenizer
        self.rules = rules

    @property
    def shape(self) -> TextClassShape:
        """Token indices in, one logit per class out."""
        return TextClassShape(
            vocabulary_size=len(self.tokenizer.vocabulary), classes=len(self.rules.classes)
        )

    @property
    def names(self) -> Mapping[Axis, Sequence[str]]:
        """The tokens of the vocabulary and the labels of the classes."""
        return {"words": self.tokenizer.vocabulary.tokens, "classes": self.rules.classes}

    def preparation(self) -> bytes:
        """Return tokenizer, classes and rules as JSON."""
        prepared = {
            "tokenizer": {"name": self.tokenizer.name, **self.tokenizer.kept()},
            "vocabulary": self.tokenizer.vocabulary.tokens,
            **self.rules._asdict(),
        }
        return json.dumps(prepared, ensure_ascii=False, sort_keys=True).encode()

    def loss(
        self,
        model: nn.Module,
        batch: Batch,
        carry: Tensor | None,
        *,
        label_smoothing: float = 0.0,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the mean cross-entropy, weighted if asked; there is no state to carry."""
        del carry
        logits = model(batch.inputs)
        smoothed = cross_entropy(
            logits, batch.targets, self.rules.weights, label_smoothing=label_smoothing
        )
        return smoothed, None

    def evaluate(self, model: nn.Module, batches: Iterator[Batch]) -> dict[str, float]:
        """Return the mean loss, never weighted, the share of right answers, and F1."""
        size = len(self.rules.classes)
        loss = torch.zeros((), dtype=torch.float64)
        table = torch.zeros(size * size, dtype=torch.int64)
        with torch.inference_mode():
            for batch in batches:
                logits = cast("Tensor", model(batch.inputs))
                each = functional.cross_entropy(logits, batch.targets, reduction="sum")
                loss = loss.to(logits.device) + each.double()
                pairs = (batch.targets * size + logits.argmax(dim=-1)).cpu()
                table += torch.bincount(pairs, minlength=size * size)
        counts = table.view(size, size).numpy()
        return {"val_loss": loss.item() / max(counts.sum().item(), 1), **self._shares(counts)}

    def assess(self, model: nn.Module, batches: Iterator[Batch]) -> Evaluation:
        """Tell what the model is worth, class by class; `val_f1` is what `evaluate` means by it."""
        evidence = ClassEvidence(self.rules.classes)
        with torch.inference_mode():
            for batch in batches:
                evidence.add(cast("Tensor", model(batch.inputs)), batch.targets)
        return self._of_looked_for(evidence.evaluation())

    def encode(self, inputs: Sequence[Input]) -> Encoded:
        """Make tokens of texts, each row ended and filled up by `<eos>`."""
        known = self.tokenizer.vocabulary.indices
        longest = self.rules.sequence_length
        split = [self.tokenizer.split(text) for text in read_texts(inputs)]
        rows = [[known.get(token, UNKNOWN_INDEX) for token in each[:longest]] for each in split]
        return Encoded(
            tensor=filled_up(rows),
            lengths=[len(row) + 1 for row in rows],
            unknown=[
                list(dict.fromkeys(token for token in each if token not in known)) for each in split
            ],
            warnings=[self._warnings(each) for each in split],
        )

    def infer(self, model: nn.Module, encoded: Encoded) -> Tensor:
        """Return the logits (input, classes)."""
        device = next(model.parameters()).device

        def run(tokens: Tensor) -> Tensor:
            return cast("Tensor", model(tokens.to(device))).float().cpu()

        classes = len(self.rules.classes)
        return by_length(encoded, classes, run, at_once=lambda length: _TOKENS_AT_ONCE // length)

    def decode(
        self, logits: Tensor, encoded: Encoded, *, top_k: int, special_tokens: bool
    ) -> list[Prediction]:
        """Name the most probable classes."""
        del special_tokens  # classes have none
        return name_classes(logits, encoded, self.rules.classes, top_k=top_k)

    def majority_class(self, counts: NDArray[np.int64], validation: NDArray[np.int64]) -> Baseline:
        """Always guess the class that training has most often."""
        size = len(self.rules.classes)
        pairs = validation * size + counts.argmax()
        table = np.bincount(pairs, minlength=size * size).reshape(size, size)
        return Baseline(name="majority_class", metrics=self._shares(table))

    def _shares(self, counts: NDArray[np.int64]) -> dict[str, float]:
        right, either = np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1)
        f1 = 2 * right / np.maximum(either, 1)
        place = self.rules.looked_for
        told = f1[either > 0].mean() if place is None and either.any() else f1[place or 0]
        accuracy = float(right.sum() / max(counts.sum(), 1))
        return {"val_accuracy": accuracy, "val_f1": float(told)}

    def _of_looked_for(self, evaluation: Evaluation) -> Evaluation:
        if self.rules.looked_for is None:
            return evaluation
        label = self.rules.classes[self.rules.looked_for]
        found = next((each.f1_interval for each in evaluation.classes if each.label == label), None)
        others = {key: each for key, each in evaluation.intervals.items() if key != "val_f1"}
        return evaluation.model_copy(
            update={"intervals": others | ({"val_f1": found} if found else {})}
        )

    def _warnings(self, tokens: Sequence[str]) -> list[str]:
        read = self.rules.sequence_length
        if not tokens:
            return ["the input is empty: this is what the model says of no text at all"]
        cut = [f"only the first {read} of {len(tokens)} tokens were read"]
        known, longest = self.tokenizer.vocabulary.indices, self.rules.longest
        return [
            *(cut if len(tokens) > read else []),
            *unlike_training(tokens, known, longest=longest),
        ]


def prepare(data: LabelledTextData, options: TextClassOptions) -> Prepared:
    """Split the texts by class, unless the data do, and learn the tokenizer of the first part."""
    held_out = data.held_out
    if held_out is None:
        keys = (sha256(" ".join(tokenize(text)).encode()).digest() for text in data.texts)
        held_out = splits.stratified(data.labels, keys, options.validation_fraction)
    if held_out.all() or not held_out.any():
        detail = "leaves nothing to learn from or nothing to validate; choose another fraction"
        raise invalid_field("/dataset/validation_fraction", detail)
    training = [text for text, held in zip(data.texts, held_out, strict=True) if not held]
    tokenizer = tokenizers.learn(
        options.tokenizer,
        training,
        lowercase=options.lowercase,
        min_count=options.min_count,
        maximum=maximum(options),
    )
    if len(tokenizer.vocabulary) <= len(SPECIAL):
        detail = "is more than any word of the texts is seen: every word would be <unk>"
        raise invalid_field("/dataset/min_count", f"{detail}; choose less")
    counts = np.bincount(data.labels[~held_out], minlength=len(data.facts.classes))
    task = TextClassification(tokenizer, _rules(data.facts.classes, counts, options))
    train, validation = (_rows(task, data, np.flatnonzero(part)) for part in (~held_out, held_out))
    task.rules = task.rules._replace(longest=train.longest)
    baseline = task.majority_class(counts, data.labels[held_out])
    return Prepared(task, train, validation, baseline, np.flatnonzero(~held_out))


def restore(preparation: bytes) -> TextClassification:
    """Make the task again, as it was prepared."""
    prepared = json.loads(preparation)
    kept = prepared["tokenizer"]
    rules = Rules(**{name: prepared[name] for name in Rules._fields if name in prepared})
    tokenizer = tokenizers.restore(
        kept["name"], prepared["vocabulary"], kept, lowercase=rules.lowercase
    )
    return TextClassification(tokenizer, rules)


TASK: TaskKind[TextClassOptions] = TaskKind(
    name="text_classification",
    summary="Tells of which class a text is.",
    data=("labelled_text",),
    options=TextClassOptions,
    smooths=True,
    best_metric="val_loss",  # measured: on texts never seen, as good as by val_f1, and calibrated
    metrics=("val_loss", "val_accuracy", "val_f1"),
    shape=shape,
    steps_per_epoch=steps_per_epoch,
    prepare=cast("Any", prepare),
    restore=restore,
)


def _rules(classes: Sequence[str], counts: NDArray[np.int64], options: TextClassOptions) -> Rules:
    balanced = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return Rules(
        classes=list(classes),
        weights=balanced.tolist() if options.class_weights == "balanced" else None,
        looked_for=int(counts[1] <= counts[0]) if len(classes) == 2 else None,
        sequence_length=options.sequence_length,
        lowercase=options.lowercase,
    )


def _rows(task: TextClassification, data: LabelledTextData, chosen: NDArray[np.int64]) -> TextRows:
    texts = [data.texts[int(index)] for index in chosen]
    ids, lengths = tokenizers.encode(task.tokenizer, texts, longest=task.rules.sequence_length)
    return TextRows(ids, lengths, data.labels[chosen])
