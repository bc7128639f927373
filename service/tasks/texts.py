"""Texts that a client sends: read strictly, then run through a model word by word."""

from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.architectures.base import SequenceModel, WithContext, WithOutput
from service.architectures.recurrent import Recurrent
from service.domain.predictions import Input
from service.domain.problems import FieldError, Invalid
from service.domain.text import clean
from service.tasks.base import Encoded
from service.tasks.prefixes import prefixes_of

MAX_WORDS = 1024
"""Of a longer input only the last words are read, and a warning says so."""

_MAX_ERRORS = 100

_MOSTLY = 0.5
_FAR_LONGER = 2


def read_texts(inputs: Sequence[Input]) -> list[str]:
    """Return the inputs as texts. Raises Invalid naming every one that is none."""
    texts: list[str] = []
    errors: list[FieldError] = []
    for number, value in enumerate(inputs):
        detail = "is no text; send a JSON string"
        if isinstance(value, str):
            try:
                texts.append(clean(value))
            except ValueError as error:
                detail = str(error)
            else:
                continue
        errors.append(FieldError(pointer=f"/inputs/{number}", detail=detail))
    if errors:
        raise Invalid(f"{len(errors)} of the inputs cannot be read.", errors=errors[:_MAX_ERRORS])
    return texts


def warnings_about(
    words: list[str], known: Container[str], *, longest: int | None = None
) -> list[str]:
    """Say what a client should know of how its words were read.

    `longest` is how many the longest text of training has, where that is known.
    """
    if not words:
        return ["the input holds no word: this is how texts begin"]
    cut = [f"only the last {MAX_WORDS} of {len(words)} words were read"]
    return [
        *(cut if len(words) > MAX_WORDS else []),
        *unlike_training(words, known, longest=longest),
    ]


def unlike_training(
    tokens: Sequence[str], known: Container[str], *, longest: int | None
) -> list[str]:
    """Say where a text is unlike those that a model learned from."""
    noticed: list[str] = []
    unknown = sum(token not in known for token in tokens)
    if tokens and unknown >= _MOSTLY * len(tokens):
        noticed.append(
            f"{unknown} of the {len(tokens)} words are unknown to the model: what it says is about "
            "the others alone"
        )
    if longest is not None and len(tokens) > _FAR_LONGER * longest:
        noticed.append(
            f"the text has {len(tokens)} words, and the longest of training has {longest}"
        )
    return noticed


def by_length(
    encoded: Encoded,
    outputs: int,
    run: Callable[[Tensor], Tensor],
    *,
    at_once: Callable[[int], int],
) -> Tensor:
    """Return what `run` makes of inputs (some, length): (input, outputs).

    Inputs of one length go together, as many as `at_once(length)` says, so that an answer never
    depends on its neighbours' padding.
    """
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number, length in enumerate(encoded.lengths):
        groups[length].append(number)
    answers = torch.empty(len(encoded.lengths), outputs)
    with torch.inference_mode():
        for length, numbers in groups.items():
            for chosen in torch.split(torch.tensor(numbers), max(1, at_once(length))):
                answers[chosen] = run(encoded.tensor[chosen, :length])
    return answers


def warn_of_context(
    model: nn.Module, lengths: Sequence[int], warnings: Sequence[list[str]]
) -> None:
    """Add a warning to what is longer than the model sees; lengths are with the first `<eos>`."""
    if isinstance(model, WithContext):
        for length, noticed in zip(lengths, warnings, strict=True):
            if length - 1 > model.context:
                seen = f"the last {model.context} of {length - 1}"
                noticed.append(f"the model sees {model.context} words at once: {seen} were read")


def last_logits(model: nn.Module, tokens: Tensor, window: int) -> Tensor:
    """Read equally long sequences window by window; return the logits after the last word.

    Of a model that sees only so many words at once, these are all that it reads.
    """
    if isinstance(model, WithContext):
        tokens = tokens[:, -model.context :]
    prefixes = prefixes_of(model, tokens.shape[1])
    if prefixes is not None and isinstance(model, Recurrent):
        behind = prefixes.read(model, tokens, window)
        return functional.linear(behind, *model.output()).float().cpu()
    device = next(model.parameters()).device
    sequence_model = cast("SequenceModel", model)
    state = sequence_model.initial_state(len(tokens))
    logits = torch.empty(0)
    for part in torch.split(tokens.to(device), max(1, window), dim=1):
        if isinstance(model, WithOutput):  # of all words but the last the logits are for nobody
            hidden, state = model.hidden(part, state)
            logits = functional.linear(hidden[:, -1], *model.output())
        else:
            every, state = sequence_model(part, state)
            logits = every[:, -1]
    return logits.float().cpu()
