"""Pages of lists whose id order is time order: newest first, from a cursor on."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.store.errors import UnknownCursor

MAX_LIMIT = 100


class HasId(Protocol):
    """A row with an id."""

    @property
    def id(self) -> Any:
        """The id."""
        ...


RowT = TypeVar("RowT", bound=HasId)


class Ends(NamedTuple):
    """What a page says about itself."""

    first_id: str | None
    last_id: str | None
    has_more: bool


def page(
    session: Session,
    statement: sa.Select[RowT],
    *,
    id_column: Any,
    limit: int,
    after: str | None,
    walked: Any = None,
) -> tuple[list[RowT], Ends]:
    """Read the page after `after`. A cursor is an id, so rows that arrive shift nothing.

    `walked` is the same id in another table of the statement, whose index has the rows in order.
    Raises UnknownCursor when `after` does not exist in the list's table.
    """
    order = id_column if walked is None else walked
    size = max(1, min(limit, MAX_LIMIT))
    if after is not None:
        if session.scalars(sa.select(id_column).where(id_column == after)).first() is None:
            raise UnknownCursor
        statement = statement.where(order < after)
    rows = list(session.scalars(statement.order_by(order.desc()).limit(size + 1)))
    return rows[:size], ends([row.id for row in rows], size)


def ends(ids: Sequence[str], size: int) -> Ends:
    """Describe a page that was read with one row too many."""
    shown = ids[:size]
    return Ends(shown[0] if shown else None, shown[-1] if shown else None, len(ids) > size)
