"""A certificate: by which states a run went, in a chain of hashes that begins with what fixes them.

The first link is the SHA-256 of `fixed` in canonical JSON; every scheduled checkpoint adds one: the
SHA-256 of the link before, the step and the hash of the state, written one after the other. Runs of
the same request have the same chain, however often they were interrupted, on any day and under any
name; `docs/exact-resume.md` shows how to check one.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal, NamedTuple

from pydantic import Field, JsonValue

from service.domain.base import Outgoing
from service.domain.environments import Environment
from service.domain.jobs import JobSpec, TrainingSpec

SHOWN = 10_000
_NOT_OF_BITS = {"device", "exact", "max_seconds", "checkpoint"}
_NOT_OF_BYTES = {"job", "checkpoint", "model", "version", "dataset", "drops"}


class Link(Outgoing):
    """A checkpoint. One that an order caused is no link: an uninterrupted run has none there."""

    step: int
    epoch: int
    weights_sha256: str
    state_sha256: str
    scheduled: bool
    link: str | None = Field(description="Null where it is not scheduled, and behind a gap.")


class Stretch(Outgoing):
    """An attempt at the run: where it went on, and on what machine."""

    attempt: int
    checkpoint: str | None
    step: int
    exact: bool = Field(description="Whether it went on with the same bits.")
    environment: Environment
    differs: dict[str, JsonValue]


class Certificate(Outgoing):
    """What fixed a run, where it was computed, and the states it went by."""

    object: Literal["certificate"] = "certificate"
    job: str
    fixed: dict[str, JsonValue] = Field(description="All that the bits depend on, but machines.")
    starts_from: dict[str, JsonValue] | None = Field(
        description="Of a fork or of given weights: the bytes it began with; also in `fixed`."
    )
    complete: bool = Field(
        default=True,
        description="False of a job that trained before checkpoints were told with their hashes.",
    )
    exact: bool | None = Field(
        description="Whether every stretch went on with the same bits; null if not all are known."
    )
    environments: list[Stretch]
    first_link: str
    links: int = Field(description="Scheduled checkpoints so far.")
    chain: list[Link] = Field(description=f"In the order of steps; the last {SHOWN:,} of them.")
    sha256: str | None = Field(description="The last link; null of a chain with gaps.")


class Taken(NamedTuple):
    """A checkpoint that was taken, as its event tells. Earlier versions told of no hashes."""

    step: int
    epoch: int
    weights_sha256: str
    state_sha256: str
    scheduled: bool


def certify(
    job_id: str, spec: JobSpec, stretches: list[Stretch], taken: Iterable[Taken | None]
) -> Certificate:
    """Make a job's certificate of its checkpoints, in the order in which they were taken.

    None is one of which nothing is known: the chain has a gap there, and proves nothing.
    """
    fixed = _fixed(spec)
    first = sha256(canonical(fixed)).hexdigest()
    links, chain, complete = _chain(first, taken)
    exact = all(stretch.exact for stretch in stretches)
    last = next((each.link for each in reversed(chain) if each.link), first)
    return Certificate(
        job=job_id,
        fixed=fixed,
        starts_from=_starts_from(spec),
        complete=complete,
        exact=exact if complete or not exact else None,
        environments=stretches,
        first_link=first,
        links=links,
        chain=chain,
        sha256=last if complete else None,
    )


def canonical(value: Mapping[str, JsonValue]) -> bytes:
    """Write JSON in one way: keys sorted, no spaces, UTF-8."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def _fixed(spec: JobSpec) -> dict[str, JsonValue]:
    """List what fixes the bits of a run; names, ids, priorities and metadata do not."""
    training = spec.training
    # An option that comes later has a default, and leaves certificates of older jobs as they are.
    later = {
        name
        for name, field in TrainingSpec.model_fields.items()
        if not field.is_required() and getattr(training, name) == field.default
    }
    options: dict[str, JsonValue] = training.model_dump(mode="json", exclude=_NOT_OF_BITS | later)
    return {
        "task": spec.task,
        "dataset": spec.dataset.model_dump(mode="json", include={"type", "sha256", "options"}),
        "architecture": spec.architecture.options(),
        "optimizer": spec.optimizer.options(),
        "schedule": spec.schedule.options(),
        "training": {**options, "checkpoint_every_steps": training.checkpoint.every_steps},
        "starts_from": _starts_from(spec),
    }


def _starts_from(spec: JobSpec) -> dict[str, JsonValue] | None:
    if spec.beginning is None:
        return None
    return spec.beginning.model_dump(mode="json", exclude=_NOT_OF_BYTES)


def _chain(first: str, taken: Iterable[Taken | None]) -> tuple[int, list[Link], bool]:
    """Link the checkpoints; what a later attempt computed again replaces what it had before.

    Returns the number of links, the last checkpoints, and whether there is no gap.
    """
    links = 0
    chain: deque[Link] = deque(maxlen=SHOWN)
    before: Taken | None = None
    complete = True
    for each in taken:
        if each is None:
            complete = False
            continue
        if before is not None and each._replace(scheduled=before.scheduled) == before:
            continue  # another kind of the same, or an order right after it
        while chain and chain[-1].step >= each.step:
            links -= chain.pop().link is not None
        link = None
        if each.scheduled and complete:
            last = next((known.link for known in reversed(chain) if known.link), first)
            link = sha256(f"{last}{each.step}{each.state_sha256}".encode()).hexdigest()
            links += 1
        chain.append(Link(**each._asdict(), link=link))
        before = each
    return links, list(chain), complete
