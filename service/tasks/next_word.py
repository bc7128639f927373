"""Next word: after every word of a text, which one follows?

The loss is the mean cross-entropy over the words of a batch; the baseline always guesses by how
often each word is seen in training (unigram, add-one smoothing).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.architectures.base import SequenceModel, WithContext, WithOutput
from service.datasets import tokenizers
from service.datasets.base import TextData
from service.datasets.tokenizers import Tokenizer
from service.datasets.words import END_INDEX, SPECIAL, UNKNOWN_INDEX
from service.domain.datasets import SequenceUnit
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.predictions import Input, Prediction, TokenCandidate
from service.domain.shapes import Axis, TextShape
from service.tasks.base import Batch, Encoded, Prepared, Prompt, TaskKind
from service.tasks.candidates import most_probable
from service.tasks.evaluating import WordEvidence
from service.tasks.linear_cross_entropy import linear_cross_entropy
from service.tasks.next_word_options import NextWordOptions, Windows, shape, steps_per_epoch
from service.tasks.next_word_splits import split
from service.tasks.sequences import IGNORED
from service.tasks.texts import (
    MAX_WORDS,
    by_length,
    last_logits,
    read_texts,
    warn_of_context,
    warnings_about,
)

_LOGITS_AT_ONCE = 1 << 22  # a model gives logits for every word read; this bounds their memory


class NextWord:
    """The task with its tokenizer."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        lowercase: bool,
        sequences: SequenceUnit,
        windows: Windows | None = None,
        longest: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = tokenizer.vocabulary
        self._lowercase = lowercase
        self._sequences: SequenceUnit = sequences
        self._longest = longest  # words of a line that trains; None: nobody counted, or a stream
        self._carries = sequences == "stream" and windows != "shuffled"

    @property
    def shape(self) -> TextShape:
        """Token indices in, one logit per word of the vocabulary out."""
        return TextShape(vocabulary_size=len(self.vocabulary))

    @property
    def names(self) -> Mapping[Axis, Sequence[str]]:
        """The words of the vocabulary, the special ones first."""
        return {"words": self.vocabulary.tokens}

    def preparation(self) -> bytes:
        """Return vocabulary and rules as JSON."""
        prepared: dict[str, Any] = {
            "vocabulary": self.vocabulary.tokens,
            "lowercase": self._lowercase,
            "sequences": self._sequences,
        }
        if self.tokenizer.name != "word":  # which was the only one: its bytes stay as they were
            prepared["tokenizer"] = {"name": self.tokenizer.name, **self.tokenizer.kept()}
        if self._longest is not None:
            prepared["longest"] = self._longest
        return json.dumps(prepared, ensure_ascii=False, sort_keys=True).encode()

    def loss(
        self,
        model: nn.Module,
        batch: Batch,
        carry: Tensor | None,
        *,
        label_smoothing: float = 0.0,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the mean cross-entropy, and for a stream in order the state to go on from."""
        targets = batch.targets.flatten()
        if isinstance(model, WithOutput):
            hidden, state = model.hidden(batch.inputs, _state(model, batch, carry))
            output = model.output()
            loss = linear_cross_entropy(
                hidden.flatten(0, 1),
                output,
                targets,
                ignored=IGNORED,
                label_smoothing=label_smoothing,
            )
        else:
            logits, state = self._run(model, batch, carry)
            loss = functional.cross_entropy(
                logits.flatten(0, 1),
                targets,
                ignore_index=IGNORED,
                label_smoothing=label_smoothing,
            )
        return loss, state.detach() if self._carries else None

    def evaluate(self, model: nn.Module, batches: Iterator[Batch]) -> dict[str, float]:
        """Return mean loss per word, its exponential, and how often the best guess was right."""
        totals = torch.zeros(2, dtype=torch.float64)
        count = 0
        carry: Tensor | None = None
        with torch.inference_mode():
            for batch in batches:
                logits, state = self._run(model, batch, carry)
                carry = state if self._sequences == "stream" else None
                totals = totals.to(logits.device) + _loss_and_hits(logits, batch.targets)
                count += batch.weight
        loss, hits = totals / max(count, 1)
        return _metrics(loss.item(), hits.item())

    def assess(self, model: nn.Module, batches: Iterator[Batch]) -> Evaluation:
        """Tell what the model is worth, by the rows of the batches: their words are not alone."""
        evidence = WordEvidence(IGNORED)
        carry: Tensor | None = None
        with torch.inference_mode():
            for batch in batches:
                logits, state = self._run(model, batch, carry)
                carry = state if self._sequences == "stream" else None
                evidence.add(logits, batch.targets)
        return evidence.evaluation()

    def encode(self, inputs: Sequence[Input]) -> Encoded:
        """Make words of texts: `<eos>` and the words, padded to the longest."""
        texts = read_texts(inputs)
        words = [self.tokenizer.split(text) for text in texts]
        known = self.vocabulary.indices
        rows = [
            [END_INDEX, *(known.get(word, UNKNOWN_INDEX) for word in line[-MAX_WORDS:])]
            for line in words
        ]
        longest = max(map(len, rows), default=1)
        padded = [row + [END_INDEX] * (longest - len(row)) for row in rows]
        return Encoded(
            tensor=torch.tensor(padded, dtype=torch.int64).view(len(rows), longest),
            lengths=[len(row) for row in rows],
            unknown=[
                list(dict.fromkeys(word for word in line if word not in known)) for line in words
            ],
            warnings=[warnings_about(line, known, longest=self._longest) for line in words],
        )

    def infer(self, model: nn.Module, encoded: Encoded) -> Tensor:
        """Return the logits (input, vocabulary) of the word after each input.

        Adds a warning to each input of which the model cannot see the beginning.
        """
        warn_of_context(model, encoded.lengths, encoded.warnings)
        at_once = max(1, _LOGITS_AT_ONCE // len(self.vocabulary))

        def run(tokens: Tensor) -> Tensor:
            return last_logits(model, tokens, at_once // len(tokens))

        return by_length(encoded, len(self.vocabulary), run, at_once=lambda _: at_once)

    def decode(
        self, logits: Tensor, encoded: Encoded, *, top_k: int, special_tokens: bool
    ) -> list[Prediction]:
        """Name the most probable next words; <unk> and <eos> only when asked for."""
        hidden = 0 if special_tokens else len(SPECIAL)
        return [
            Prediction(
                candidates=[
                    TokenCandidate(
                        token=self.tokenizer.shown(self.vocabulary.tokens[each.place]),
                        probability=each.probability,
                        logprob=each.logprob,
                    )
                    for each in row
                ],
                unknown=encoded.unknown[number],
                warnings=encoded.warnings[number],
            )
            for number, row in enumerate(most_probable(logits, top_k=top_k, skip=hidden))
        ]

    def prompt(self, model: nn.Module, encoded: Encoded) -> Prompt:
        """Give `<eos>` and the words of a text, the last ones of a long one."""
        warn_of_context(model, encoded.lengths, encoded.warnings)
        untyped: Any = encoded.tensor[0]
        tokens: list[int] = untyped.tolist()
        if isinstance(model, WithContext):
            tokens = tokens[-model.context :]
        return Prompt(tokens, encoded.unknown[0], encoded.warnings[0] if len(tokens) > 1 else [])

    def token(self, index: int) -> str:
        """Return a word of the vocabulary."""
        return self.vocabulary.tokens[index]

    def behind(self, text: str, index: int) -> str:
        """Write a word as it stands behind a text."""
        return self.tokenizer.behind(text, self.vocabulary.tokens[index])

    @property
    def end(self) -> int:
        """`<eos>`; only `<unk>` stands before it, which is never written."""
        return END_INDEX

    @staticmethod
    def _run(model: nn.Module, batch: Batch, carry: Tensor | None) -> tuple[Tensor, Tensor]:
        return cast("SequenceModel", model)(batch.inputs, _state(model, batch, carry))


def prepare(data: TextData, options: NextWordOptions) -> Prepared:
    """Learn the tokenizer of a text, and encode its two parts."""
    tokenizer, train, validation, lines = split(data, options)
    sequences = options.sequences or data.facts.sequences
    task = NextWord(
        tokenizer,
        lowercase=options.lowercase,
        sequences=sequences,
        windows=options.windows,
        longest=train.longest if sequences == "lines" else None,
    )
    baseline = unigram(train.targets, validation.targets, len(task.vocabulary))
    return Prepared(task, train, validation, baseline, lines)


def restore(preparation: bytes) -> NextWord:
    """Make the task again, as it was prepared."""
    prepared = json.loads(preparation)
    kept = prepared.get("tokenizer", {"name": "word"})
    return NextWord(
        tokenizers.restore(
            kept["name"], prepared["vocabulary"], kept, lowercase=prepared["lowercase"]
        ),
        lowercase=prepared["lowercase"],
        sequences=prepared["sequences"],
        longest=prepared.get("longest"),
    )


def unigram(train: Tensor, validation: Tensor, vocabulary_size: int) -> Baseline:
    """Guess every word by its share of the training part, each seen once more than it was."""
    counts = torch.bincount(train, minlength=vocabulary_size).double() + 1
    log_shares = (counts / counts.sum()).log()
    loss = -log_shares[validation.long()].mean().item()
    hits = (validation == counts.argmax()).double().mean().item()
    return Baseline(name="unigram", metrics=_metrics(loss, hits))


TASK: TaskKind[NextWordOptions] = TaskKind(
    name="next_word",
    summary="Predicts the next word of a text.",
    data=("text",),
    options=NextWordOptions,
    smooths=True,
    best_metric="val_loss",
    metrics=("val_loss", "val_perplexity", "val_accuracy"),
    shape=shape,
    steps_per_epoch=steps_per_epoch,
    prepare=cast("Any", prepare),
    restore=restore,
)


def _state(model: nn.Module, batch: Batch, carry: Tensor | None) -> Tensor:
    """Return the state that a batch begins with."""
    return cast("SequenceModel", model).initial_state(len(batch.inputs)) if carry is None else carry


def _loss_and_hits(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum loss and right guesses over a batch, without waiting for the device."""
    loss = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    hits = (logits.argmax(dim=-1) == targets).sum()  # an ignored target equals no index
    return torch.stack([loss.double(), hits.double()])


def _metrics(loss: float, hits: float) -> dict[str, float]:
    # torch's exp gives infinity where Python's raises.
    perplexity = torch.tensor(loss, dtype=torch.float64).exp().item()
    return {"val_loss": loss, "val_perplexity": perplexity, "val_accuracy": hits}
