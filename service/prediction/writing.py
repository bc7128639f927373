"""Writing a text on: one token after the other, with what the model keeps of those before it.

A text is written alone, whatever else runs: what is batched together differs in its last digits,
and the same seed shall give the same text. It is written in turns of a few milliseconds on the
thread of the models, so that predictions go on beside it, and nothing is computed for who went.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from service.domain.generations import (
    FinishReason,
    GeneratedToken,
    GenerateRequest,
    Generation,
    Usage,
)
from service.domain.models import Servable
from service.domain.problems import Conflict
from service.domain.sessions import SessionState
from service.prediction.batching import Batcher, Loaded
from service.prediction.reading import (
    BEGINNING,
    READ_AT_ONCE,
    TAIL,
    SoFar,
    next_prompt,
    read_on,
    warn_of_session,
)
from service.prediction.sampling import Sampler
from service.tasks.base import Encoded, Prompt, Writes

TURN_SECONDS = 0.005


class CannotWrite(Conflict):
    """The model does not say which word is next."""

    code = "model_cannot_write"
    title = "The model writes no text"

    def __init__(self, model: str, task: str) -> None:
        super().__init__(
            f"{model!r} is a model of {task}; only models of next_word write texts. Ask it with "
            "/predict."
        )


class Tally:
    """Counts the tokens that are written, whoever reads them."""

    def __init__(self) -> None:
        self.tokens = 0


class Written(NamedTuple):
    """What a turn brought: tokens whose text is certain, and at the end why it ended."""

    tokens: Sequence[GeneratedToken]
    finish_reason: FinishReason | None


class Writer:
    """Writes one text. Its turns are taken on the thread of the models."""

    def __init__(
        self,
        loaded: Loaded,
        asked: GenerateRequest,
        encoded: Encoded,
        *,
        seed: int,
        before: SoFar = BEGINNING,
        tally: Tally | None = None,
    ) -> None:
        """`encoded` is the prompt, as the task reads it; it goes behind the text `before`."""
        self._model = loaded.model
        self._task = cast("Writes", loaded.task)
        self._asked = asked
        self._before = before
        self._tally = Tally() if tally is None else tally
        self.prompt: Prompt = next_prompt(loaded, encoded, before)
        self._sampler = Sampler(asked, seed=seed, never=self._task.end)
        # To end again is no repetition.
        self._seen = {*before.seen, *self.prompt.tokens} - {self._task.end}
        self._unread = [*before.unread, *self.prompt.tokens]
        self._read = before.read
        self._told = 0
        self._behind_prompt = before.read
        self._chosen: list[int] = []
        self.text = ""
        self.tokens: list[GeneratedToken] = []
        self.finish_reason: FinishReason | None = None

    @torch.inference_mode()
    def take_turn(self) -> Written:
        """Write for a few milliseconds, or to the end."""
        until = time.perf_counter() + TURN_SECONDS
        while self.finish_reason is None:
            logits = self._read_on()
            if logits is not None:
                self._write(logits)
            if time.perf_counter() > until:
                break
        return self._news()

    def _read_on(self) -> Tensor | None:
        """Read what is unread, at most a piece; return the logits when nothing is."""
        if self._unread:
            piece, self._unread = self._unread[:READ_AT_ONCE], self._unread[READ_AT_ONCE:]
            self._read = read_on(self._model, piece, self._read)
        return None if self._unread else self._read.logits

    def _write(self, logits: Tensor) -> None:
        chosen = self._sampler.choose(logits, torch.tensor(sorted(self._seen), dtype=torch.int64))
        self._tally.tokens += 1
        if not self._chosen:
            self._behind_prompt = self._read
        if chosen.token == self._task.end:
            self.finish_reason = "eos"
            return
        self._seen.add(chosen.token)
        self._unread = [chosen.token]
        self._chosen.append(chosen.token)
        piece = self._task.behind(self._written() or self._before.tail, chosen.token)
        token = self._task.token(chosen.token)
        self.tokens.append(GeneratedToken(token=token, text=piece, logprob=chosen.logprob))
        self.text += piece
        self._stop_or_go_on()

    def _stop_or_go_on(self) -> None:
        places = [self.text.find(stop) for stop in self._asked.stop]
        if found := [place for place in places if place >= 0]:
            self._cut(min(found))
            self.finish_reason = "stop"
        elif len(self.tokens) == self._asked.max_tokens:
            self.finish_reason = "length"

    def _cut(self, place: int) -> None:
        """Let the text end at a place, and the tokens with it."""
        self.text = self.text[:place]
        length = 0
        for number, token in enumerate(self.tokens):
            left = place - length
            if len(token.text) >= left:
                shorter = token.model_copy(update={"text": token.text[:left]})
                self.tokens = [*self.tokens[:number], *([shorter] if left > 0 else [])]
                self._chosen = self._chosen[: number + (len(token.text) == left)]
                return
            length += len(token.text)

    def _news(self) -> Written:
        """Tell the tokens that are certain: a stop text may have begun in the last ones."""
        certain = len(self.tokens)
        if self.finish_reason is None and self._asked.stop:
            held = max(map(len, self._asked.stop)) - 1
            while certain > self._told and held > 0:
                certain -= 1
                held -= len(self.tokens[certain].text)
        news, self._told = self.tokens[self._told : certain], max(self._told, certain)
        return Written(news, self.finish_reason)

    def so_far(self) -> SoFar:
        """Tell the text to go on behind, when it has ended: with what was told of it, and no more.

        What a stop text has cut off the model has read; so what is left is to be read again, but
        for a token of which a part was cut off.
        """
        read, unread = self._read, self._unread
        if self.finish_reason == "stop":
            read, unread = self._behind_prompt, self._chosen
        elif self.finish_reason == "eos":
            unread = [self._task.end]
        return SoFar(
            read,
            tuple(unread),
            self._before.tokens + self._prompt_tokens() + len(self._chosen),
            self._before.seen.union(self.prompt.tokens, self._chosen) - {self._task.end},
            "" if self.finish_reason == "eos" else (self._written() or self._before.tail)[-TAIL:],
        )

    def _written(self) -> str:
        return self._asked.prompt + self.text

    def _prompt_tokens(self) -> int:
        return len(self.prompt.tokens) - (self.prompt.tokens[:1] == [self._task.end])

    def generation(
        self, servable: Servable, *, seed: int, session: SessionState | None = None
    ) -> Generation:
        """Tell the whole, when it has ended."""
        seen = [] if session is None else warn_of_session(self._model, session.tokens)
        return Generation(
            model=servable.model,
            version=servable.version,
            checkpoint=servable.checkpoint,
            prompt=self._asked.prompt,
            text=self.text,
            tokens=self.tokens,
            finish_reason=self.finish_reason or "length",
            seed=seed,
            unknown=self.prompt.unknown,
            warnings=[*self.prompt.warnings, *seen],
            usage=Usage(prompt_tokens=self._prompt_tokens(), generated_tokens=len(self.tokens)),
            session=session,
        )


async def turns(writer: Writer, batcher: Batcher) -> AsyncIterator[Written]:
    """Give what is written, turn by turn; who stops asking stops the writing."""
    while writer.finish_reason is None:
        written = await batcher.run(writer.take_turn)
        if written.tokens or written.finish_reason is not None:
            yield written
