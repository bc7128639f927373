"""Jobs and datasets in the states that wrong requests need, made when they are named."""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from service.client import Client

QUICK = {"max_steps": 2}
ENDLESS = {"max_steps": 100_000_000}
ELSEWHERE = {"device": "mps"}
"""No worker on Linux has such a device: the job stays in the queue."""

A_TEXT = b"one two three four\nfive six seven eight nine\nten eleven"

A_TABLE = "hour,sky,day,wind,note,always,never,power\n" + "".join(
    f"{number % 24},{('clear', 'rain')[number % 2]},2026-0{1 + number // 20}-{1 + number % 20:02},"
    f"{'' if number % 5 == 0 else number / 2},note {number},x,,{number * 1.5}\n"
    for number in range(60)
)


class States:
    """Fills in `{queued}` and the like; `running`, `succeeded`, `failed` stay the same ones."""

    def __init__(self, client: Client, *, running: str, succeeded: str, failed: str) -> None:
        self._client = client
        self._made: list[str] = []
        self._makers: dict[str, Callable[[], str]] = {
            "new": lambda: f"bad-{uuid4()}",
            "uploaded": self._uploaded,
            "queued": self.queued,
            "paused": lambda: client.pause_job(self.queued()).id,
            "cancelled": lambda: client.cancel_job(self.queued()).id,
            "running": lambda: running,
            "succeeded": lambda: succeeded,
            "failed": lambda: failed,
            "kept_session": self._session,
            "checkpoint": lambda: client.list_checkpoints(succeeded).data[0].id,
        }

    def fill(self, text: str) -> str:
        """Put a new job or name in the place of each that is wanted."""
        names = "|".join(self._makers)
        return re.sub(rf"\{{({names})\}}", lambda found: self._makers[found[1]](), text)

    def queued(self) -> str:
        """Make a job that no worker trains."""
        job = self._client.create_job(a_job("eating", "rnn", ELSEWHERE))
        self._made.append(job.id)
        return job.id

    def _session(self) -> str:
        name = f"kept-{uuid4()}"
        self._client.predict("bad-words", ["I like"], session=name)
        return name

    def clear(self) -> None:
        """Take what waits out of the queue."""
        for job in self._client.list_jobs(status="queued", limit=100).data:
            if job.id in self._made:
                self._client.cancel_job(job.id)

    def _uploaded(self) -> str:
        return an_upload(self._client, f"bad-{uuid4()}")


def a_job(dataset: str, architecture: str, training: dict[str, Any]) -> dict[str, Any]:
    """Write a small job."""
    return {"dataset": dataset, "architecture": architecture, "training": training}


def a_job_that_fails() -> dict[str, Any]:
    """Write a job whose loss does not stay finite: lr times weight decay is above 2."""
    optimizer = {"type": "sgd", "lr": 0.1, "weight_decay": 100.0}
    return {**a_job("eating", "rnn", {"max_steps": 1000}), "optimizer": optimizer}


def an_upload(client: Client, name: str) -> str:
    """Upload a small text."""
    return client.add_dataset({"name": name, "type": "text"}, {"file": A_TEXT}).name


@contextmanager
def states(client: Client) -> Generator[States]:
    """Train `bad-images`, `bad-words`, `bad-rows`, and `bad-champions`; keep `bad-used` in use."""
    done = ""
    client.add_dataset(
        {"name": "bad-table", "type": "table", "target": "power", "units": {"power": "kW"}},
        {"file": A_TABLE.encode()},
    )
    for name, dataset, architecture in (
        ("bad-images", "digits", "mlp"),
        ("bad-rows", "bad-table", "mlp"),
        ("bad-words", "eating", "rnn"),
    ):
        job = client.create_job({**a_job(dataset, architecture, QUICK), "model": name})
        assert client.wait_for_job(job.id).status == "succeeded"
        done = job.id
    for _ in range(3):
        words = client.get_model("bad-words").latest.checkpoint
        assert words is not None
        client.promote_checkpoint("bad-champions", words)
    client.delete_model("bad-champions@3")
    client.set_alias("bad-champions", "champion", 1)
    failed = client.create_job(a_job_that_fails())
    assert client.wait_for_job(failed.id).status == "failed"
    an_upload(client, "bad-used")
    using = client.create_job(
        {**a_job("bad-used", "rnn", ELSEWHERE), "client_id": "bad-taken"},
        idempotency_key="bad-taken",
    )
    endless = client.create_job(a_job("eating", "rnn", ENDLESS))
    while client.get_job(endless.id).status == "queued":
        client.get_job(endless.id, wait=10)
    made = States(client, running=endless.id, succeeded=done, failed=failed.id)
    yield made
    for job_id in (endless.id, using.id):
        client.cancel_job(job_id)
    made.clear()
    client.wait_for_job(endless.id)
