"""Lines of requests are written some at a time, everything else at once, and none is lost."""

import asyncio
import io
import logging

import pytest

from service.cli.logs import GatheringHandler


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def handler(written: io.StringIO) -> GatheringHandler:
    handler = GatheringHandler("requests")
    handler.setStream(written)
    return handler


def record(name: str, message: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.INFO, __file__, 1, message, None, None)


def test_a_line_of_a_request_waits_for_its_neighbours(
    handler: GatheringHandler, written: io.StringIO
) -> None:
    async def serve() -> tuple[str, str]:
        handler.handle(record("requests", "one"))
        handler.handle(record("requests", "two"))
        at_once = written.getvalue()
        while not written.getvalue():
            await asyncio.sleep(0)
        return at_once, written.getvalue()

    assert asyncio.run(serve()) == ("", "one\ntwo\n")


def test_other_lines_come_at_once_and_in_their_order(
    handler: GatheringHandler, written: io.StringIO
) -> None:
    async def serve() -> str:
        handler.handle(record("requests", "one"))
        handler.handle(record("trainyard", "draining"))
        return written.getvalue()

    assert asyncio.run(serve()) == "one\ndraining\n"


def test_what_waits_at_the_end_is_written(handler: GatheringHandler, written: io.StringIO) -> None:
    async def serve() -> None:
        handler.handle(record("requests", "last"))

    asyncio.run(serve())
    handler.flush()  # as logging does at the end of a process

    assert written.getvalue() == "last\n"


class Broken(io.StringIO):
    """A disk that is full."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_breaks_nobodys_work(handler: GatheringHandler) -> None:
    handler.setStream(Broken())

    async def serve() -> None:
        handler.handle(record("requests", "one"))
        handler.flush()
        handler.handle(record("requests", "two"))
        handler.handle(record("trainyard", "draining"))

    asyncio.run(serve())
