"""A dataset whose bytes are missing, though nothing installed says where they come from."""

from service.domain.datasets import DatasetFile, NewDataset
from service.store import datasets
from service.store.engine import database_now
from tests.worker.yard import Yard


def test_a_job_whose_data_come_from_nowhere_fails_in_words(yard: Yard) -> None:
    sha256 = "0" * 64
    new = NewDataset(
        name="of-a-missing-package",
        sha256=sha256,
        options={},
        facts=yard.dataset.facts,
        files=[DatasetFile(role="file", sha256=sha256, bytes=1)],
        built_in=True,
    )
    with yard.database.begin() as session:
        yard.dataset = datasets.announce_dataset(session, new, now=database_now(session))

    job = yard.accept(max_steps=1)
    yard.start_worker()
    ended = yard.wait_for(job, "failed", "succeeded")

    assert ended.error is not None
    assert ended.error.code == "download_failed"
    assert "Nothing on this worker says where" in ended.error.message
