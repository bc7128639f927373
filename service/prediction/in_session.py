"""Answering what the next word is behind all that a session has read."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor

from service.domain.predictions import Prediction, PredictRequest, PredictResponse
from service.domain.problems import Busy, invalid_field
from service.prediction.abstaining import abstaining
from service.prediction.batching import Answer, Batcher, Loaded
from service.prediction.finding import Found
from service.prediction.reading import (
    READ_AT_ONCE,
    TAIL,
    SoFar,
    next_prompt,
    read_on,
    warn_of_session,
)
from service.prediction.sessions import Held, ModelKeepsNoSession, Sessions
from service.tasks.base import Encoded, Prompt, Writes


class Behind(NamedTuple):
    """A text with a new part, whose tokens are still to be read, and what was noticed of it."""

    so_far: SoFar
    prompt: Prompt


def check(found: Found, asked: PredictRequest) -> None:
    """Raise ModelKeepsNoSession and Invalid for what no session can be asked."""
    if not isinstance(found.loaded.task, Writes):
        raise ModelKeepsNoSession(found.servable.model, found.servable.task)
    if len(asked.inputs) != 1:
        detail = "goes on behind one text in a session: send one input"
        raise invalid_field("/inputs", detail)
    if asked.evidence is not None:
        detail = "is for texts in one piece, and this one comes in parts: leave the session out"
        raise invalid_field("/evidence", detail)


async def answer(
    found: Found,
    encoded: Encoded,
    asked: PredictRequest,
    held: Held,
    *,
    sessions: Sessions,
    batcher: Batcher,
    started: float,
    wanted: Callable[[], bool],
    heard: Callable[[], bool],
) -> PredictResponse:
    """Read the input behind the session, keep it, and answer. Raises NotFinite, and Busy.

    What is not `wanted` any more when its turn comes leaves the session as it was; so does what is
    not `heard` any more later.
    """
    servable, loaded = found
    text = cast("str", asked.inputs[0])  # it could be encoded
    so_far, prompt = _behind(loaded, encoded, text, held.before)
    began = time.perf_counter()
    while so_far.unread:
        so_far = await batcher.run(partial(_read_a_piece, loaded, so_far, wanted))
        wanted = heard  # it has begun in time, and takes as long as it takes
    temperature = servable.temperature if asked.probabilities == "calibrated" else None
    noticed = encoded._replace(warnings=[prompt.warnings])
    decode = partial(_decode, loaded, so_far, noticed, asked, temperature or 1.0)
    predictions = await batcher.run(decode)
    answered = Answer(predictions, began, time.perf_counter(), 1)
    if asked.abstain_below is not None:
        predictions = abstaining(predictions, below=asked.abstain_below)
    return PredictResponse(
        model=servable.model,
        version=servable.version,
        checkpoint=servable.checkpoint,
        task=servable.task,
        temperature=temperature,
        predictions=predictions,
        timings=answered.timings(started=started),
        session=sessions.keep(held, so_far, now=time.monotonic()),
    )


def _behind(loaded: Loaded, encoded: Encoded, text: str, before: SoFar) -> Behind:
    prompt = next_prompt(loaded, encoded, before)
    tokens = [token for token in prompt.tokens if token != cast("Writes", loaded.task).end]
    so_far = before._replace(
        unread=(*before.unread, *prompt.tokens),
        tokens=before.tokens + len(tokens),
        seen=before.seen.union(tokens),
        tail=text[-TAIL:] or before.tail,
    )
    warnings = prompt.warnings if before.begun else encoded.warnings[0]
    warnings = [*warnings, *warn_of_session(loaded.model, so_far.tokens)]
    return Behind(so_far, prompt._replace(warnings=warnings))


def _read_a_piece(loaded: Loaded, so_far: SoFar, wanted: Callable[[], bool]) -> SoFar:
    if not wanted():
        raise Busy
    piece, left = so_far.unread[:READ_AT_ONCE], so_far.unread[READ_AT_ONCE:]
    return so_far._replace(read=read_on(loaded.model, piece, so_far.read), unread=left)


def _decode(
    loaded: Loaded,
    so_far: SoFar,
    encoded: Encoded,
    asked: PredictRequest,
    temperature: float,
) -> list[Prediction]:
    logits = cast("Tensor", so_far.read.logits).unsqueeze(0)
    with torch.inference_mode():
        return loaded.task.decode(
            logits if temperature == 1 else logits / temperature,
            encoded,
            top_k=asked.top_k,
            special_tokens=asked.special_tokens,
        )
