"""The application and, in the same process, who trains what it accepts: no server, no worker."""

import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import torch

from service.catalogue import Catalogue
from service.domain.environments import offers_threads
from service.domain.jobs import Job
from service.domain.ports import Command
from service.store import blobs, claims, jobs, models
from service.store.engine import Database, database_now
from service.training.device import machine_offers
from service.worker.abilities import Downloads, Work
from service.worker.child import run_job
from tests.api.asking import Asking
from tests.sqlite_files import flush

SENTENCES = [
    f"{who} {does} {what}"
    for who in ("I", "you", "we", "they")
    for does in ("like eating", "cook", "buy", "share")
    for what in ("rice", "bread", "apples", "soup")
]
RNN = {"type": "rnn", "hidden_size": 8}
SGD = {"type": "sgd", "lr": 0.1}


class Trained(NamedTuple):
    """The SQLite file of a workshop that has trained a job: to be copied, never to be opened."""

    file: Path
    job: Job


class Workshop:
    """Asks for jobs, and trains them one by one when it is told so."""

    def __init__(
        self, database: Database, catalogue: Catalogue, *, has_texts: bool = False
    ) -> None:
        self.database = database
        self._catalogue = catalogue
        self.asking = Asking(database, catalogue)
        if not has_texts:
            self.add_text("kitchen", SENTENCES)

    def add_text(self, name: str, lines: list[str]) -> None:
        """Upload a text."""
        body = {"name": name, "type": "text", "text": "\n".join(lines)}
        assert self.post("/v1/datasets", body).status_code == 201

    def post(self, path: str, body: object = None) -> httpx.Response:
        """Send a body as JSON."""
        return self.asking.request("POST", path, json=body)

    def raw(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Send anything."""
        return self.asking.request(method, path, **sent)

    def get(self, path: str) -> Any:
        """Read something that is there."""
        answer = self.asking.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def delete(self, path: str) -> None:
        """Delete something that is there."""
        assert self.asking.request("DELETE", path).status_code == 204

    def accepted(self, path: str, body: object) -> Job:
        """Post what makes a job."""
        answer = self.post(path, body)
        assert answer.status_code == 202, answer.text
        return Job.model_validate_json(answer.content)

    def a_job(
        self,
        *,
        training: Mapping[str, Any] | None = None,
        every_steps: int | None = None,
        **fields: Any,
    ) -> Job:
        """Accept a small job: 2 epochs of 4 steps, at a constant learning rate."""
        policy = {"every_steps": every_steps}
        options = {"epochs": 2, "batch_size": 16, "seed": 5, "checkpoint": policy}
        body: dict[str, Any] = {
            "dataset": "kitchen",
            "architecture": RNN,
            "optimizer": SGD,
            "schedule": "constant",
            "training": {**options, **(training or {})},
        }
        return self.accepted("/v1/jobs", {**body, **fields})

    def train(self, *, order: Command = "pause", after_steps: int | None = None) -> Job:
        """Run the next job as a worker's child does, to its end or until it is ordered to stop."""
        with self.database.begin() as session:
            claim = claims.claim(
                session,
                worker_id="wrk_1",
                devices=["cpu"],
                components=[
                    *self._catalogue.components(),
                    *machine_offers(),
                    *offers_threads(1),
                ],
                lease_for=timedelta(minutes=5),
                now=database_now(session),
            )
        assert claim is not None
        work = Work(claim, "", 1, 0, 0, Downloads(None, 1 << 20))
        threads = torch.get_num_threads()
        run_job(work, self.database, _ordering(order, after_steps))
        torch.set_num_threads(threads)
        with self.database.read() as session:
            return jobs.get_job(session, claim.job_id)

    def a_trained_job(self, **fields: Any) -> Job:
        """Accept a job and train it to its end."""
        accepted = self.a_job(**fields)
        trained = self.train()
        assert (trained.id, trained.status) == (accepted.id, "succeeded"), trained.error
        return trained

    def checkpoints(self, job: Job) -> list[Any]:
        """List the kept checkpoints, those that came furthest first."""
        kept = self.get(f"/v1/jobs/{job.id}/checkpoints?limit=100")["data"]
        return sorted(kept, key=lambda each: each["step"], reverse=True)

    def at_step(self, job: Job, step: int) -> str:
        """Find a periodic checkpoint."""
        return next(
            each["id"]
            for each in self.checkpoints(job)
            if (each["step"], each["kind"]) == (step, "periodic")
        )

    def names_of(self, job: Job) -> list[str]:
        """List the words or classes of a job's newest model, in the order of its rows."""
        with self.database.read() as session:
            found = models.get_servable(session, f"{job.id}@latest")
        preparation = blobs.read(self.database, found.preparation_sha256)
        names = self._catalogue.restore(found.task, preparation).names
        return [name for of_axis in names.values() for name in of_axis]


def trained_in(file: Path, catalogue: Catalogue, **fields: Any) -> Trained:
    """Train one job in an empty SQLite file."""
    database = Database.open(f"sqlite:///{file}")
    job = Workshop(database, catalogue).a_trained_job(**fields)
    database.dispose()
    flush(file)
    return Trained(file, job)


@contextmanager
def copy_of(trained: Trained, file: Path, catalogue: Catalogue) -> Generator[Workshop]:
    """Open a copy of a workshop, as if it had trained the job itself."""
    shutil.copyfile(trained.file, file)
    database = Database.open(f"sqlite:///{file}")
    yield Workshop(database, catalogue, has_texts=True)
    database.dispose()


def _ordering(order: Command, after_steps: int | None) -> Callable[[], Command | None]:
    asked = 0

    def command() -> Command | None:
        nonlocal asked
        asked += 1
        return order if after_steps is not None and asked > after_steps else None

    return command
