"""A job that fails says why in plain words; how exactly is for the log."""

import pytest
import torch

from service.store import metrics
from service.store.errors import DatasetNotFound, NothingToServe, StorageFull
from service.training.failures import DeviceNotAvailable, PrecisionNotAvailable
from service.worker.failures import job_error
from service.worker.forkserver import exit_in_words
from tests.worker.yard import Yard


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DeviceNotAvailable("cuda"), "device_not_available"),
        (PrecisionNotAvailable("bfloat16", "cuda"), "precision_not_available"),
        (DatasetNotFound("kitchen", []), "dataset_not_found"),
        (NothingToServe("job_1"), "no_checkpoint"),
        (MemoryError(), "out_of_memory"),
        (torch.OutOfMemoryError(), "out_of_memory"),
        (RuntimeError("could not create a memory object"), "out_of_memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory"),
        (StorageFull(), "storage_full"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "training_crashed"),
    ],
)
def test_every_error_has_a_code_and_words(error: Exception, code: str) -> None:
    failure = job_error(error)

    assert failure.code == code
    assert failure.message.endswith(".")
    assert "mat1" not in failure.message


def test_memory_that_torch_really_cannot_get_is_told_as_such() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**55)

    assert job_error(refused.value).code == "out_of_memory"


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (-9, "killed by signal 9 (SIGKILL); often the kernel"),
        (-11, "killed by signal 11 (SIGSEGV)."),
        (-63, "killed by signal 63 (unknown)."),
        (1, "ended with exit code 1 before"),
        (0, "ended with exit code 0 before"),
    ],
)
def test_an_exit_code_is_told_in_words(exit_code: int, words: str) -> None:
    assert words in exit_in_words(exit_code)


def test_failures_reach_the_job(yard: Yard) -> None:
    worker = yard.start_worker()

    exploded = yard.wait_for(yard.accept(stable=False), "failed")
    yard.lose_data()
    crashed = yard.wait_for(yard.accept(), "failed")

    assert exploded.error is not None
    assert exploded.error.code == "loss_not_finite"
    assert exploded.error.hint is not None
    with yard.database.read() as session:
        series = metrics.get_metrics(session, exploded.id, names=None, max_points=None).series
    assert series["train_loss"].nonfinite or series["gradient_norm"].value
    assert exploded.progress.step > 0
    assert crashed.error is not None
    assert crashed.error.code == "training_crashed"
    assert "Traceback" in worker.log.read_text(encoding="utf-8")
