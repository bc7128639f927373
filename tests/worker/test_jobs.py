"""A worker does what clients order, and carries on when a job's process dies."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from service.domain.jobs import Job
from service.store import metrics
from tests.eventually import eventually
from tests.worker.conftest import NICE
from tests.worker.yard import WorkerProcess, Yard, stat

pytestmark = pytest.mark.usefixtures("worker")


def process_of(yard: Yard, worker: WorkerProcess, job: Job) -> int:
    """Find the process of the newest attempt of a job."""
    return worker.training_process(yard.job(job.id))


def thread_ticks(pid: int) -> list[int]:
    """Return the processor time of each thread, in hundredths of a second (proc(5): utime)."""
    ticks: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # threads may end meanwhile
            ticks.append(int((task / "stat").read_text().rpartition(")")[2].split()[11]))
    return ticks


def series_of(yard: Yard, job: Job) -> dict[str, list[int]]:
    """Return the steps of each series."""
    with yard.database.read() as session:
        stored = metrics.get_metrics(session, job.id, names=None, max_points=None)
    return {name: series.step for name, series in stored.series.items()}


def test_a_job_is_trained_to_its_end_and_makes_a_model(busy_yard: Yard) -> None:
    job = busy_yard.accept(max_steps=8)

    ended = busy_yard.wait_for(job, "succeeded", "failed")

    assert ended.result is not None
    assert (ended.progress.step, ended.attempt, ended.error) == (8, 1, None)
    assert ended.run is not None
    assert ended.run.threads == 1  # a small model is quickest with one


def test_a_larger_model_trains_with_all_threads_after_the_preload(
    busy_yard: Yard, worker: WorkerProcess
) -> None:
    job = busy_yard.accept(hidden_size=512)
    busy_yard.wait_for_checkpoint(job)
    pid = process_of(busy_yard, worker, job)

    running = busy_yard.job(job.id)
    eventually(lambda: len([ticks for ticks in thread_ticks(pid) if ticks > 5]) >= 2)
    busy_yard.act(job, "cancel")

    assert running.run is not None
    assert running.run.threads == 2
    busy_yard.wait_for(job, "cancelled")


def test_a_cancelled_job_stops_at_the_next_batch(busy_yard: Yard) -> None:
    job = busy_yard.accept()
    busy_yard.wait_for_checkpoint(job)

    busy_yard.act(job, "cancel")

    assert busy_yard.wait_for(job, "cancelled").ended_at is not None


def test_a_paused_job_writes_a_checkpoint_and_goes_on_from_it_when_resumed(
    busy_yard: Yard,
) -> None:
    job = busy_yard.accept()
    busy_yard.wait_for_checkpoint(job)

    busy_yard.act(job, "pause")
    busy_yard.wait_for(job, "paused")
    newest = max(busy_yard.checkpoints(job), key=lambda checkpoint: checkpoint.step)
    busy_yard.act(job, "resume")
    busy_yard.wait_for_checkpoint(job, after_step=newest.step)
    busy_yard.act(job, "cancel")
    busy_yard.wait_for(job, "cancelled")

    assert newest.kind == "pause"
    steps = series_of(busy_yard, job)["train_loss"]
    assert steps == sorted(set(steps))


def test_a_job_whose_process_is_killed_goes_on_from_its_newest_checkpoint(
    busy_yard: Yard, worker: WorkerProcess
) -> None:
    job = busy_yard.accept(max_steps=200)
    checkpoint = busy_yard.wait_for_checkpoint(job)

    os.kill(process_of(busy_yard, worker, job), signal.SIGKILL)
    ended = busy_yard.wait_for(job, "succeeded", "failed")

    assert (ended.status, ended.attempt, ended.progress.step) == ("succeeded", 2, 200)
    steps = series_of(busy_yard, job)["train_loss"]
    assert steps == sorted(set(steps))
    assert steps[0] <= checkpoint.step  # what the first attempt measured is still there
    deaths = [event.data for event in busy_yard.events(job) if event.type == "died"]
    assert "signal 9 (SIGKILL)" in str(deaths)


def test_a_job_whose_process_always_dies_fails_and_says_how(
    yard: Yard,
) -> None:
    job = yard.accept(hidden_size=4096)  # its first checkpoint is far away
    worker = yard.start_worker(max_deaths=2)

    for attempt in (1, 2):
        eventually(lambda attempt=attempt: yard.job(job.id).attempt == attempt)
        os.kill(process_of(yard, worker, job), signal.SIGSEGV)
    ended = yard.wait_for(job, "failed")

    assert ended.error is not None
    assert ended.error.code == "child_died"
    assert "killed by signal 11 (SIGSEGV)" in ended.error.message


def test_jobs_go_on_when_the_fork_server_is_killed(busy_yard: Yard, worker: WorkerProcess) -> None:
    job = busy_yard.accept()
    busy_yard.wait_for_checkpoint(job)
    orphan = process_of(busy_yard, worker, job)
    reached = busy_yard.checkpoints(job)[0].step

    os.kill(worker.forkserver(), signal.SIGKILL)
    eventually(lambda: busy_yard.job(job.id).attempt == 2)

    assert orphan not in worker.pids()  # gone before the new attempt began
    busy_yard.wait_for_checkpoint(job, after_step=reached)
    busy_yard.act(job, "cancel")
    busy_yard.wait_for(job, "cancelled")


def test_a_process_that_lost_its_lease_stops(busy_yard: Yard, worker: WorkerProcess) -> None:
    job = busy_yard.accept()
    busy_yard.wait_for_checkpoint(job)
    pid = process_of(busy_yard, worker, job)

    busy_yard.lose_lease(job)

    eventually(lambda: pid not in worker.pids())
    eventually(lambda: busy_yard.job(job.id).attempt == 2)
    busy_yard.act(job, "cancel")
    busy_yard.wait_for(job, "cancelled")


def test_training_leaves_the_processor_and_memory_to_the_service(
    busy_yard: Yard, worker: WorkerProcess
) -> None:
    job = busy_yard.accept()
    busy_yard.wait_for_checkpoint(job)
    pid = process_of(busy_yard, worker, job)

    niceness = int(stat(pid)[16])
    victim = Path(f"/proc/{pid}/oom_score_adj").read_text().strip()
    busy_yard.act(job, "cancel")

    assert (niceness, victim) == (min(19, os.nice(0) + NICE), "1000")
    assert os.getsid(worker.process.pid) == worker.process.pid
    busy_yard.wait_for(job, "cancelled")


def test_what_is_forked_has_no_thread_but_one(worker: WorkerProcess) -> None:
    assert len([*Path(f"/proc/{worker.forkserver()}/task").iterdir()]) == 1


def test_the_worker_itself_imports_no_torch(worker: WorkerProcess) -> None:
    maps = Path(f"/proc/{worker.process.pid}/maps").read_text()

    assert "libtorch" not in maps
