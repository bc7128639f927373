"""A file comes whole and right or not at all, whatever a mirror does."""

import errno
import hashlib
from collections.abc import Iterator
from io import BytesIO
from threading import Thread

import pytest

from service.datasets.base import Download, DownloadFile
from service.domain.datasets import IdxDatasetSpec, ImageFacts
from service.worker.downloads import in_megabytes, urls_of
from service.worker.fetching import Fetch, FetchFailed, Stopped, Timing
from tests.eventually import eventually
from tests.worker.mirror import (
    Answer,
    Manner,
    Mirror,
    a_mirror,
    answering,
    cutting_after,
    in_turn,
    knowing_no_range,
    redirecting,
    silent,
    telling_more_bytes,
    trickling,
    well,
    with_more_bytes,
    with_other_bytes,
)

CONTENT = bytes(range(256)) * 4
QUICK = Timing(connect_seconds=5, read_seconds=0.5, tries=2, pause_seconds=0)
PATH = "/data/file.gz"


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with a_mirror() as mirror:
        mirror.files[PATH] = CONTENT
        yield mirror


def a_file(content: bytes = CONTENT) -> DownloadFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return DownloadFile(role="images", name="file.gz", sha256=sha256, bytes=len(content))


def fetched(mirror: Mirror, manner: Manner, timing: Timing = QUICK) -> bytes:
    """Fetch the file from a mirror of such manners."""
    mirror.manners[PATH] = manner
    target = BytesIO()
    Fetch(a_file(), target, timing).run([mirror.url + PATH])
    return target.getvalue()


def refused(mirror: Mirror, manner: Manner) -> FetchFailed:
    with pytest.raises(FetchFailed) as failure:
        fetched(mirror, manner)
    assert str(failure.value).startswith("127.0.0.1: ")
    return failure.value


def test_a_file_comes_with_one_request(mirror: Mirror) -> None:
    assert fetched(mirror, well) == CONTENT
    assert mirror.ranges_of(PATH) == [None]


def test_what_is_cut_goes_on_where_it_was(mirror: Mirror) -> None:
    assert fetched(mirror, cutting_after(400)) == CONTENT
    assert mirror.ranges_of(PATH) == [None, "bytes=400-", "bytes=800-"]
    assert all(asked.if_range for asked in mirror.asked[1:])


def test_a_cut_answer_of_unknown_length_goes_on_too(mirror: Mirror) -> None:
    def cut(answer: Answer) -> None:
        answer.head(200)
        answer.write(CONTENT[:100])

    assert fetched(mirror, in_turn(cut, well)) == CONTENT
    assert mirror.ranges_of(PATH) == [None, "bytes=100-"]


def test_a_mirror_that_knows_no_ranges_begins_anew(mirror: Mirror) -> None:
    assert fetched(mirror, knowing_no_range(first=400)) == CONTENT
    assert mirror.ranges_of(PATH) == [None, "bytes=400-"]


def test_a_file_that_changed_meanwhile_begins_anew(mirror: Mirror) -> None:
    def old(answer: Answer) -> None:
        answer.head(200, Content_Length=str(len(CONTENT)), ETag='"old"')
        answer.write(b"old bytes")

    assert fetched(mirror, in_turn(old, well)) == CONTENT
    assert mirror.asked[1].if_range == '"old"'


@pytest.mark.parametrize("manner", [answering(416), answering(206, Content_Range="bytes 0-9/1024")])
def test_a_part_that_does_not_fit_begins_anew(mirror: Mirror, manner: Manner) -> None:
    assert fetched(mirror, in_turn(cutting_after(400), manner, well)) == CONTENT
    assert mirror.ranges_of(PATH) == [None, "bytes=400-", None]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_mirror_that_is_busy_is_asked_again(mirror: Mirror, status: int) -> None:
    assert fetched(mirror, in_turn(answering(status), well)) == CONTENT


def test_a_mirror_that_stays_busy_is_given_up(mirror: Mirror) -> None:
    assert "503 Service Unavailable, 2 times in a row" in str(refused(mirror, answering(503)))
    assert len(mirror.asked) == 2


def test_cuts_that_bring_nothing_new_are_given_up(mirror: Mirror) -> None:
    failure = refused(mirror, in_turn(cutting_after(400), cutting_after(0)))

    assert "broke off, 2 times in a row" in str(failure)
    assert mirror.ranges_of(PATH) == [None, "bytes=400-", "bytes=400-"]


@pytest.mark.parametrize("status", [403, 404, 410, 206, 304])
def test_a_mirror_without_the_file_is_asked_once(mirror: Mirror, status: int) -> None:
    failure = refused(mirror, answering(status))

    assert f"it answered {status}" in str(failure)
    assert not failure.corrupt
    assert len(mirror.asked) == 1


def test_a_redirect_is_followed_with_the_range(mirror: Mirror) -> None:
    mirror.files["/elsewhere"] = CONTENT
    mirror.manners["/elsewhere"] = cutting_after(600)

    assert fetched(mirror, redirecting("/elsewhere")) == CONTENT
    assert mirror.ranges_of("/elsewhere") == [None, "bytes=600-"]


def test_redirects_in_a_circle_end(mirror: Mirror) -> None:
    assert "redirects more than 5 times" in str(refused(mirror, redirecting(PATH)))
    assert len(mirror.asked) == 6


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/file.gz", "http://[", "file:///etc/passwd"])
def test_a_redirect_to_what_is_no_web_address_is_not_followed(mirror: Mirror, address: str) -> None:
    assert not refused(mirror, redirecting(address)).corrupt
    assert {asked.path for asked in mirror.asked} == {PATH}


@pytest.mark.parametrize("manner", [with_more_bytes, telling_more_bytes, with_other_bytes])
def test_other_bytes_are_refused(mirror: Mirror, manner: Manner) -> None:
    failure = refused(mirror, manner)

    assert failure.corrupt
    assert "the file is another one" in str(failure)
    assert len(mirror.asked) == 1


def test_no_more_is_written_than_the_known_size(mirror: Mirror) -> None:
    mirror.files[PATH] = CONTENT * 1000
    mirror.manners[PATH] = with_more_bytes
    target = BytesIO()

    with pytest.raises(FetchFailed):
        Fetch(a_file(), target, QUICK).run([mirror.url + PATH])

    assert len(target.getvalue()) <= len(CONTENT)


def test_a_mirror_that_says_nothing_is_given_up(mirror: Mirror) -> None:
    assert "sent nothing for 0.5 seconds" in str(refused(mirror, silent))


def test_a_mirror_that_is_not_there_is_given_up() -> None:
    with a_mirror() as gone:
        url = gone.url + PATH

    with pytest.raises(FetchFailed, match=r"127\.0\.0\.1: it could not be reached"):
        Fetch(a_file(), BytesIO(), QUICK).run([url])


def test_the_next_mirror_is_asked_from_the_beginning(mirror: Mirror) -> None:
    mirror.files["/other"] = CONTENT
    mirror.manners[PATH] = in_turn(cutting_after(400), answering(404))
    target = BytesIO()

    Fetch(a_file(), target, QUICK).run([mirror.url + PATH, mirror.url + "/other"])

    assert target.getvalue() == CONTENT
    assert mirror.ranges_of("/other") == [None]


def test_what_every_mirror_did_is_told(mirror: Mirror) -> None:
    mirror.manners |= {PATH: with_other_bytes, "/other": answering(404)}

    with pytest.raises(FetchFailed, match=r"SHA-256.*; 127.0.0.1: it answered 404") as failure:
        Fetch(a_file(), BytesIO(), QUICK).run([mirror.url + PATH, mirror.url + "/other"])

    assert failure.value.corrupt


def test_a_password_in_a_mirror_is_not_told() -> None:
    with pytest.raises(FetchFailed) as failure:
        Fetch(a_file(), BytesIO(), QUICK).run(["http://ann:secret@127.0.0.1:1/file.gz"])

    assert "secret" not in str(failure.value)


def test_a_stopped_fetch_writes_nothing_more(mirror: Mirror) -> None:
    mirror.manners[PATH] = trickling
    target, ends = BytesIO(), list[str]()
    fetch = Fetch(a_file(), target)

    def run() -> None:
        try:
            fetch.run([mirror.url + PATH])
        except Stopped:
            ends.append("stopped")

    thread = Thread(target=run)
    thread.start()
    eventually(lambda: fetch.received > 1)
    fetch.stop()
    written = target.getvalue()
    thread.join()

    assert ends == ["stopped"]
    assert target.getvalue() == written == CONTENT[: len(written)]


class FullDisk(BytesIO):
    def write(self, _content: object, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told(mirror: Mirror) -> None:
    with pytest.raises(FetchFailed, match="No space left on device") as failure:
        Fetch(a_file(), FullDisk(), QUICK).run([mirror.url + PATH])

    assert not failure.value.corrupt


@pytest.mark.parametrize(
    ("received", "total", "words"),
    [
        (12_345_678, 26_421_880, "12.3 of 26.4 MB"),
        (0, 26_421_880, "0.0 of 26.4 MB"),
        (5148, 5148, "5.1 of 5.1 kB"),
    ],
)
def test_amounts_are_told_in_the_unit_of_the_whole(received: int, total: int, words: str) -> None:
    assert in_megabytes(received, total) == words


def test_the_setting_replaces_all_mirrors_of_a_dataset() -> None:
    facts = ImageFacts(
        channels=1,
        height=1,
        width=1,
        classes=["a", "b"],
        examples=2,
        test_examples=0,
        examples_per_class=[1, 1],
    )
    download = Download(
        spec=IdxDatasetSpec(name="옷", type="idx"),
        facts=facts,
        mirrors=["http://one.test/a/", "http://two.test"],
        files=[a_file()],
    )

    own = urls_of(download, a_file(), None)
    chosen = urls_of(download, a_file(), "http://mine.test/data/")

    assert own == ["http://one.test/a/file.gz", "http://two.test/file.gz"]
    assert chosen == ["http://mine.test/data/%EC%98%B7/file.gz"]
