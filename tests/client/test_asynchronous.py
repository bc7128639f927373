"""What only the asynchronous client must do: never block the loop, and clean up when cancelled."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from service.client import AsyncClient, InvalidError
from service.client.writing import ReadInThreads

DEADLINE = 30


class Silence:
    """A server that takes requests and never answers; it knows who hung up."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1024):
            if b"\r\n\r\n" in piece:
                self.asked.set()
        self.left.set()
        writer.close()


@asynccontextmanager
async def silence() -> AsyncGenerator[Silence]:
    outside = Silence()
    async with await asyncio.start_server(outside.serve, "127.0.0.1", 0) as server:
        outside.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield outside


def test_a_cancelled_call_leaves_no_open_connection() -> None:
    async def cancel_a_call() -> None:
        async with asyncio.timeout(DEADLINE), silence() as outside, AsyncClient(outside.url) as it:
            call = asyncio.create_task(it.get_job("job_1"))
            await outside.asked.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await outside.left.wait()  # while the client is still open

    asyncio.run(cancel_a_call())


def test_a_cancelled_pause_ends_the_call() -> None:
    async def cancel_a_pause() -> int:
        pausing = asyncio.Event()
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(503, json={"detail": "no"})

        async def sleep(seconds: float) -> None:
            pausing.set()
            await asyncio.sleep(DEADLINE)

        transport = httpx.MockTransport(answer)
        async with AsyncClient("http://yard", transport=transport, sleep=sleep) as client:
            call = asyncio.create_task(client.get_job("job_1"))
            await pausing.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        return len(asked)

    assert asyncio.run(cancel_a_pause()) == 1


class SlowDisk(httpx.SyncByteStream):
    """A body whose piece can be read only after the loop has gone on."""

    def __init__(self) -> None:
        self.spun = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield b"spun" if self.spun.wait(DEADLINE) else b"stood still"


def test_the_loop_goes_on_while_a_file_is_read() -> None:
    async def read() -> list[bytes]:
        disk = SlowDisk()
        asyncio.get_running_loop().call_soon(disk.spun.set)
        return [piece async for piece in ReadInThreads(disk)]

    assert asyncio.run(read()) == [b"spun"]


class Pieces(httpx.AsyncBaseTransport):
    """Takes a body as it comes, and notes how large the pieces are."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.declared = 0
        self.in_threads = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.declared = int(request.headers["Content-Length"])
        self.in_threads = isinstance(request.stream, ReadInThreads)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self.sizes = [len(piece) async for piece in request.stream]
        return httpx.Response(422, json={"detail": "no"})


@pytest.mark.parametrize("as_bytes", [True, False])
def test_an_upload_is_streamed_in_small_pieces(tmp_path: Path, as_bytes: bool) -> None:
    file = tmp_path / "large.txt"
    file.write_bytes(bytes(1_000_000))
    pieces = Pieces()

    async def upload() -> None:
        async with AsyncClient("http://yard", transport=pieces) as client:
            content = file.read_bytes() if as_bytes else file
            await client.add_dataset({"name": "large", "type": "text"}, {"file": content})

    with pytest.raises(InvalidError):
        asyncio.run(upload())
    assert pieces.in_threads
    assert sum(pieces.sizes) == pieces.declared
    assert max(pieces.sizes) <= 65_536


def test_a_file_that_is_not_there_is_the_error_that_python_has_for_it(tmp_path: Path) -> None:
    async def upload() -> None:
        async with AsyncClient("http://yard") as client:
            await client.add_dataset({"name": "poems"}, {"file": tmp_path / "nowhere"})

    with pytest.raises(FileNotFoundError):
        asyncio.run(upload())
