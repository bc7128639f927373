"""What a model was while it trained: every checkpoint that is still kept of its job."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.models import Servable
from service.store.errors import HistoryDeleted
from service.store.models import find_version, get_servable, not_found
from service.store.tables import CheckpointRow, JobRow


class Moment(NamedTuple):
    """One checkpoint, and where in the training it was."""

    servable: Servable
    checkpoint: str
    step: int
    epoch: int
    metrics: Mapping[str, float | None]


def moments(session: Session, reference: str, *, limit: int) -> tuple[str, list[Moment]]:
    """Return a model's job and its kept checkpoints, one a step, in order; of more, spread ones.

    The first and the last are always there. Raises ModelNotFound, and HistoryDeleted.
    """
    job_id = _job_of(session, reference)
    rows = session.scalars(
        sa.select(CheckpointRow)
        .where(CheckpointRow.job_id == job_id)
        .order_by(CheckpointRow.step, CheckpointRow.id)
    )
    by_step = {row.step: row for row in rows}  # kinds of one step share their weights
    kept = _spread([*by_step.values()], limit)
    return job_id, [
        Moment(get_servable(session, row.id), row.id, row.step, row.epoch, row.metrics)
        for row in kept
    ]


def _job_of(session: Session, reference: str) -> str:
    if reference.startswith("job_"):
        job_id = reference.partition("@")[0]
    elif reference.startswith("ckpt_"):
        row = session.get(CheckpointRow, reference)
        job_id = None if row is None else row.job_id
    else:
        version = find_version(session, reference)
        if version is None:
            get_servable(session, reference)  # raises what there is to say
        elif version.job_id is None:
            raise HistoryDeleted(reference)
        job_id = None if version is None else version.job_id
    if job_id is None or session.get(JobRow, job_id) is None:
        raise not_found(session, reference)
    return job_id


def _spread(rows: list[CheckpointRow], limit: int) -> list[CheckpointRow]:
    if len(rows) <= limit:
        return rows
    if limit == 1:
        return rows[-1:]
    last = len(rows) - 1
    return [rows[round(number * last / (limit - 1))] for number in range(limit)]
