"""A model is downloaded whole or not at all, and brought in by its file."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from service.client import NotFoundError, UnreachableError
from tests.client.answers import MOMENT
from tests.client.conftest import Clients

NAMED = {
    "Content-Disposition": "attachment; filename=\"__-1.zip\"; filename*=UTF-8''%EB%B0%A5-1.zip"
}
VERSION = {
    "id": "mdl_1",
    "model": "rice",
    "version": 1,
    "task": "next_word",
    "architecture": {"type": "rnn"},
    "dataset": "eating",
    "job": None,
    "checkpoint": None,
    "metrics": {},
    "baseline": None,
    "parameters": 1,
    "bytes": 4,
    "weights_sha256": "0",
    "created_at": MOMENT,
}


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A connection that breaks after the first piece."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"PK"
        raise httpx.ReadError("gone")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"PK"
        raise httpx.ReadError("gone")


def test_a_download_has_the_name_that_the_service_gives_it(
    clients: Clients, tmp_path: Path
) -> None:
    client = clients(lambda _: httpx.Response(200, content=b"PK", headers=NAMED))
    written = client.download_model("밥", tmp_path)
    assert (written, written.read_bytes()) == (tmp_path / "밥-1.zip", b"PK")


def test_a_download_goes_where_it_is_told(clients: Clients, tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, content=b"onnx", headers=NAMED)

    client = clients(answer)
    client.download_model("rice@1", tmp_path / "rice.onnx", file_format="onnx")
    assert (tmp_path / "rice.onnx").read_bytes() == b"onnx"
    assert seen == ["http://yard/v1/models/rice@1/download?format=onnx"]


def test_a_name_that_leads_elsewhere_stays_in_the_folder(clients: Clients, tmp_path: Path) -> None:
    evil = {"Content-Disposition": "attachment; filename*=UTF-8''..%2F..%2Fevil.zip"}
    client = clients(lambda _: httpx.Response(200, content=b"PK", headers=evil))
    assert client.download_model("rice", tmp_path) == tmp_path / "evil.zip"


def test_a_download_that_breaks_leaves_nothing(clients: Clients, tmp_path: Path) -> None:
    client = clients(lambda _: httpx.Response(200, stream=Broken(), headers=NAMED))
    with pytest.raises(UnreachableError):
        client.download_model("rice", tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_what_is_not_there_makes_no_file(clients: Clients, tmp_path: Path) -> None:
    problem = {"detail": "There is no such model.", "code": "model_not_found"}
    client = clients(lambda _: httpx.Response(404, json=problem))
    with pytest.raises(NotFoundError):
        client.download_model("rice", tmp_path / "rice.zip")
    assert [*tmp_path.iterdir()] == []


def test_an_import_sends_the_file_its_name_and_a_key(clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "rice.zip").write_bytes(b"PK-the-bytes")
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json=VERSION)

    made = clients(answer).import_model(tmp_path / "rice.zip", "rice", description="좋은 것")

    assert made.version == 1
    body = seen[0].content
    assert b"PK-the-bytes" in body
    assert '{"name":"rice","description":"좋은 것"}'.encode() in body
    assert seen[0].headers["Idempotency-Key"]
