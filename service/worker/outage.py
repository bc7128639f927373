"""The database as a worker sees it: when it is away, the worker looks again and says so once."""

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from service.store.errors import DATABASE_TROUBLE
from service.store.patience import in_words

logger = logging.getLogger(__name__)


class Outage:
    """Whether the database is in trouble just now."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def lasts(self) -> bool:
        """Tell whether the last thing that was tried failed."""
        return self._since is not None

    @contextmanager
    def survived(self) -> Generator[None]:
        """Go on after the block although the database failed in it; the next look tries again."""
        try:
            yield
        except DATABASE_TROUBLE as trouble:
            if self._since is None:
                logger.warning("the database fails (%s); trying again", in_words(trouble))
            self._since = self._since or time.monotonic()
        except SQLAlchemyError:
            logger.exception("the database refused; trying again")
            self._since = self._since or time.monotonic()
        else:
            if self._since is not None:
                seconds = time.monotonic() - self._since
                logger.warning("the database answers again after %.1f s", seconds)
            self._since = None
