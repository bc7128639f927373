"""Datasets that the first job downloads: from mirrors that work, and from those that do not."""

import gzip
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import psycopg
import pytest
import sqlalchemy as sa

from service.client import Client, TrainyardError
from service.datasets import idx
from service.datasets.base import Download
from service.domain.jobs import Job
from service.store import jobs
from service.store.engine import Database
from tests.eventually import eventually
from tests.integration.conftest import running
from tests.integration.packages import NAMES, a_download, install, with_examples
from tests.worker.mirror import (
    Manner,
    Mirror,
    a_mirror,
    answering,
    cutting_after,
    knowing_no_range,
    redirecting,
    together,
    trickling,
    well,
    with_more_bytes,
    with_other_bytes,
)

IMAGES, LABELS = NAMES["images"], NAMES["labels"]
SHARED = Path(__file__).parents[3] / "shared" / "data" / "fashion-mnist"
BROKEN: Mapping[str, tuple[Manner, str, str]] = {
    "wrong": (with_other_bytes, "download_corrupt", "SHA-256"),
    "longer": (with_more_bytes, "download_corrupt", "the file is another one"),
    "absent": (answering(404), "download_failed", "it answered 404 Not Found"),
    "circle": (redirecting(f"/circle/{IMAGES}"), "download_failed", "redirects more than 5 times"),
}
SMALL = ("good", "long", "by-hand", "cut", "no-range", "together", "slow", "paused", *BROKEN)
REAL = "real-fashion"
MAX_DATASET_BYTES = 4_000_000


class Yard(NamedTuple):
    """A service with a package of datasets, and the mirror they come from."""

    client: Client
    http: httpx.Client
    mirror: Mirror


def files_of(name: str) -> dict[str, bytes]:
    """Make the files of a small dataset: of its own, and of bytes that do not compress."""
    random = np.random.default_rng(list(name.encode()))
    pixels = random.integers(0, 256, (40, 6, 6), dtype=np.uint8)
    labels = random.integers(0, 2, 40, dtype=np.uint8)
    files = {"images": idx.encode(pixels), "labels": idx.encode(labels)}
    return {role: gzip.compress(content, mtime=0) for role, content in files.items()}


def real_files() -> dict[str, bytes]:
    """Read real images, where they are at hand."""
    if not SHARED.is_dir():
        return {}
    return {role: SHARED.joinpath(name).read_bytes() for role, name in NAMES.items()}


def serve(mirror: Mirror) -> list[Download]:
    """Put all files on the mirror, each dataset with its manners; describe them."""
    known = {name: files_of(name) for name in SMALL}
    known |= {REAL: real_files()} if real_files() else {}
    for name, files in known.items():
        for role, content in files.items():
            mirror.files[f"/{name}/{NAMES[role]}"] = content
    mirror.manners |= {
        "/cut/": cutting_after(700),
        "/no-range/": knowing_no_range(first=700),
        "/together/": together(2),
        "/slow/": trickling,
        f"/paused/{LABELS}": trickling,
        **{f"/{name}/": manner for name, (manner, _, _) in BROKEN.items()},
    }
    downloads = [a_download(name, files) for name, files in known.items()]
    return [*downloads, with_examples(a_download("large", files_of("large")), 1_000_000)]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def yard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Yard]:
    """A service on each kind of database whose mirror is in this process."""
    folder = tmp_path_factory.mktemp("downloads")
    with a_mirror() as mirror:
        package = install(folder, serve(mirror))
        settings = {
            "PYTHONPATH": str(package),
            "TRAINYARD_DATASET_MIRROR": mirror.url,
            "TRAINYARD_MAX_DATASET_BYTES": str(MAX_DATASET_BYTES),
            "TRAINYARD_WORKERS": "2",
        }
        with (
            database_url(request, folder) as url,
            running(url, folder, **settings) as service,
            Client(service) as client,
            httpx.Client(base_url=service, timeout=90) as http,
        ):
            yield Yard(client, http, mirror)


@contextmanager
def database_url(request: pytest.FixtureRequest, folder: Path) -> Generator[str]:
    """Make an empty database of the kind that is asked for."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/trainyard.db"
        return
    server: str = request.getfixturevalue("postgresql_url")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE downloads")
        url = sa.make_url(server).set(database="downloads")
        yield url.render_as_string(hide_password=False)
        connection.execute("DROP DATABASE downloads WITH (FORCE)")


def accept(yard: Yard, name: str, max_steps: int = 3) -> Job:
    """POST a small job."""
    architecture = {"type": "mlp", "hidden_sizes": [8]}
    request = {"dataset": name, "architecture": architecture, "training": {"max_steps": max_steps}}
    return yard.client.create_job(request)


def train(yard: Yard, name: str) -> Job:
    """Train a small job to its end, which must be good."""
    ended = yard.client.wait_for_job(accept(yard, name).id)
    assert ended.status == "succeeded", ended.error
    return ended


def downloading(yard: Yard, job: Job, file: str) -> str:
    """Wait until a job says that it downloads a file; return its words."""

    def said() -> str | None:
        reason = yard.client.get_job(job.id).status_reason or ""
        return reason if reason.startswith(f"downloading {file}: ") else None

    return eventually(said)


def step_of(yard: Yard, job: Job) -> Job | None:
    """Read a job once it has taken a step."""
    now = yard.client.get_job(job.id)
    return now if now.progress.step else None


def until(yard: Yard, job: Job, status: str) -> Job:
    """Wait until a job has a status."""

    def arrived() -> Job | None:
        now = yard.client.get_job(job.id)
        return now if now.status == status else None

    return eventually(arrived)


def test_a_dataset_is_downloaded_by_the_first_job_and_never_again(yard: Yard) -> None:
    before = yard.client.get_dataset("good")
    yard.client.plan_job({"dataset": "good", "architecture": "mlp"})
    assert yard.mirror.asked_for("/good/") == []  # facts are known beforehand

    first = train(yard, "good")
    asked = yard.mirror.asked_for("/good/")
    train(yard, "good")

    after = yard.client.get_dataset("good")
    assert (before.downloaded, after.downloaded) == (False, True)
    assert before.model_copy(update={"downloaded": True}) == after
    assert [each.path for each in asked] == [f"/good/{IMAGES}", f"/good/{LABELS}"]
    assert yard.mirror.asked_for("/good/") == asked
    assert first.status_reason is None


def test_nothing_is_said_of_a_download_once_the_training_runs(yard: Yard) -> None:
    job = accept(yard, "long", max_steps=10_000_000)

    running = eventually(lambda: step_of(yard, job))
    yard.client.cancel_job(job.id)

    assert (running.status, running.status_reason) == ("running", None)
    assert yard.mirror.asked_for("/long/")
    until(yard, job, "cancelled")


def test_what_is_built_in_is_listed_with_whether_it_is_there(yard: Yard) -> None:
    listed = {each.name: each for each in yard.client.list_datasets(limit=100).data}

    assert not listed["fashion-mnist"].downloaded
    assert not listed["mnist"].downloaded
    assert listed["digits"].downloaded
    assert listed["mnist"].bytes == 11_594_722
    assert yard.mirror.asked_for("/mnist/") == []


def test_a_dataset_that_is_downloaded_cannot_be_deleted(yard: Yard) -> None:
    with pytest.raises(TrainyardError) as refused:
        yard.client.delete_dataset("good")

    assert (refused.value.status, refused.value.code) == (409, "dataset_built_in")


def test_a_cut_connection_goes_on_where_it_was(yard: Yard) -> None:
    train(yard, "cut")

    size = len(yard.mirror.files[f"/cut/{IMAGES}"])
    assert 1400 < size <= 2100
    assert yard.mirror.ranges_of(f"/cut/{IMAGES}") == [None, "bytes=700-", "bytes=1400-"]


def test_a_mirror_that_knows_no_ranges_is_asked_for_all_again(yard: Yard) -> None:
    train(yard, "no-range")

    assert yard.mirror.ranges_of(f"/no-range/{IMAGES}") == [None, "bytes=700-"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_mirror_that_does_not_have_the_file_fails_the_job_in_words(yard: Yard, name: str) -> None:
    _, code, words = BROKEN[name]

    ended = yard.client.wait_for_job(accept(yard, name).id)

    assert (ended.status, ended.status_reason) == ("failed", None)
    assert ended.error is not None
    assert ended.error.code == code
    assert f"{IMAGES} of {name} could not be downloaded. 127.0.0.1: " in ended.error.message
    assert words in ended.error.message
    assert "TRAINYARD_DATASET_MIRROR to the URL of a folder" in (ended.error.hint or "")
    assert not yard.client.get_dataset(name).downloaded


def test_a_job_that_could_not_download_succeeds_when_it_is_retried_later(yard: Yard) -> None:
    failed = yard.client.wait_for_job(accept(yard, "absent").id)
    yard.mirror.manners["/absent/"] = well
    yard.client.retry_job(failed.id)

    assert yard.client.wait_for_job(failed.id).status == "succeeded"


def test_a_download_from_a_slow_mirror_is_shown_and_can_be_cancelled(yard: Yard) -> None:
    job = accept(yard, "slow")
    words = downloading(yard, job, IMAGES)

    assert words.endswith(" of 1.5 kB")
    assert yard.client.cancel_job(job.id).status_reason == "cancelling"
    assert until(yard, job, "cancelled").ended_at is not None
    assert not yard.client.get_dataset("slow").downloaded


def test_a_paused_download_keeps_the_files_that_came_wholly(yard: Yard) -> None:
    job = accept(yard, "paused")
    downloading(yard, job, LABELS)
    # Said first, then asked for.
    eventually(lambda: bool(yard.mirror.ranges_of(f"/paused/{LABELS}")))
    yard.client.pause_job(job.id)
    until(yard, job, "paused")
    yard.mirror.manners[f"/paused/{LABELS}"] = well
    yard.client.resume_job(job.id)

    assert yard.client.wait_for_job(job.id).status == "succeeded"
    assert yard.mirror.ranges_of(f"/paused/{IMAGES}") == [None]
    assert yard.mirror.ranges_of(f"/paused/{LABELS}") == [None, None]


def test_two_jobs_may_download_the_same_at_once(yard: Yard) -> None:
    both = [accept(yard, "together"), accept(yard, "together")]

    ended = [yard.client.wait_for_job(job.id) for job in both]

    assert [job.status for job in ended] == ["succeeded", "succeeded"]
    assert yard.mirror.ranges_of(f"/together/{IMAGES}") == [None, None]
    assert not [job for job in ended if job.attempt > 1]


def test_what_is_larger_than_the_limit_is_not_downloaded(yard: Yard) -> None:
    ended = yard.client.wait_for_job(accept(yard, "large").id)

    assert ended.error is not None
    assert ended.error.code == "dataset_too_large"
    assert "this worker takes 4,000,000" in ended.error.message
    assert yard.mirror.asked_for("/large/") == []


def test_the_same_files_uploaded_by_hand_need_no_mirror(yard: Yard) -> None:
    spec = {"name": "by-hand", "type": "idx"}
    uploaded = yard.http.post(
        "/v1/datasets",
        files={"spec": (None, httpx.Response(200, json=spec).text), **files_of("by-hand")},
    )

    assert uploaded.status_code == 200  # it exists already: built in
    assert uploaded.json()["downloaded"] is True
    train(yard, "by-hand")
    assert yard.mirror.asked_for("/by-hand/") == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real images are not at hand")
def test_real_images_are_downloaded_and_learned(yard: Yard) -> None:
    ended = train(yard, REAL)

    assert ended.result is not None
    assert set(ended.result.metrics) == {"val_loss", "val_accuracy"}
    dataset = yard.client.get_dataset(REAL)
    assert dataset.downloaded
    assert dataset.bytes == sum(len(content) for content in real_files().values())


def test_a_service_that_is_told_to_end_queues_a_job_that_downloads(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/trainyard.db"
    with a_mirror() as mirror:
        package = install(tmp_path, serve(mirror))
        settings = {"PYTHONPATH": str(package), "TRAINYARD_DATASET_MIRROR": mirror.url}
        with (
            running(url, tmp_path, **settings) as service,
            Client(service) as client,
            httpx.Client(base_url=service) as http,
        ):
            yard = Yard(client, http, mirror)
            job = accept(yard, "slow")
            downloading(yard, job, IMAGES)

        database = Database.open(url)
        with database.read() as session:
            left = jobs.get_job(session, job.id)
        database.dispose()
    assert (left.status, left.status_reason) == ("queued", "no worker is running")
