"""A job that wants more memory than it may take fails in words; everything else lives."""

from pathlib import Path

import pytest

from service.machine import cgroup_limits, memory_bytes
from service.settings import Settings
from tests.eventually import eventually
from tests.worker.yard import Yard

MEBIBYTE = 1024 * 1024
PRELOADED = 400 * MEBIBYTE  # torch and the libraries that every child shares with the fork server


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process had resident so far (proc(5): VmHWM); 0: it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def test_a_job_that_takes_too_much_fails_and_the_others_live(yard: Yard) -> None:
    worker = yard.start_worker(workers=2, job_memory_bytes=200 * MEBIBYTE)
    modest = yard.accept(max_steps=500)
    yard.wait_for_checkpoint(modest)

    greedy = yard.accept(hidden_size=4096)
    pid = worker.training_process(yard.wait_for(greedy, "running"))
    peaks = [0]
    eventually(lambda: peaks.append(peak_bytes(pid)) or peaks[-1] == 0 or None)
    failed = yard.wait_for(greedy, "failed")

    assert failed.error is not None
    assert (failed.error.code, failed.attempt) == ("out_of_memory", 1)
    assert "TRAINYARD_JOB_MEMORY_BYTES" in (failed.error.hint or "")
    assert max(peaks) < PRELOADED + 200 * MEBIBYTE
    assert yard.wait_for(yard.accept(max_steps=8), "succeeded", "failed").status == "succeeded"
    assert yard.wait_for(modest, "succeeded", "failed").attempt == 1


@pytest.mark.parametrize(
    ("own", "files", "limits"),
    [
        ("0::/\n", {"memory.max": "max\n"}, []),
        ("0::/\n", {"memory.max": "1000\n"}, [1000]),
        ("0::/a/b\n", {"a/memory.max": "2000\n", "a/b/memory.max": "3000\n"}, [3000, 2000]),
        ("5:cpu:/x\n4:memory:/x\n", {"memory/memory.limit_in_bytes": "4000\n"}, [4000]),
    ],
)
def test_the_limits_of_a_container_are_found(
    tmp_path: Path, own: str, files: dict[str, str], limits: list[int]
) -> None:
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(text)

    assert [*cgroup_limits(tmp_path / "cgroup", tmp_path / "own")] == limits


def test_a_job_may_take_most_of_the_memory_but_not_all() -> None:
    assert memory_bytes() // 2 < Settings().job_memory_bytes < memory_bytes()
