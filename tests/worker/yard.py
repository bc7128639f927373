"""A database, and real worker processes on it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from service.catalogue import Catalogue
from service.datasets import registry
from service.domain.certificates import Certificate
from service.domain.components import Component
from service.domain.datasets import Dataset, TextDatasetSpec
from service.domain.events import Event
from service.domain.jobs import Checkpoint, Job, JobStatus, NewJob
from service.domain.requests import DatasetChoice, Exactness, JobRequest, TrainingOptions
from service.domain.transitions import JobAction
from service.store import certificates, checkpoints, claims, datasets, events, jobs
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database, database_now
from service.store.tables import BlobChunkRow, JobRow
from tests.eventually import DEADLINE_SECONDS, eventually

MARK = "TRAINYARD_TEST_MARK"
SENTENCES = [
    f"{who} {does} {what}"
    for who in ("I", "you", "we", "they")
    for does in ("like eating", "cook", "buy", "share")
    for what in ("rice", "bread", "apples", "soup")
]


class WorkerProcess:
    """A running worker with all its processes."""

    def __init__(
        self, database_url: str, log: Path, *, environment: Mapping[str, str], **settings: object
    ) -> None:
        self.mark = uuid4().hex
        self.log = log
        chosen = {"DATABASE_URL": database_url, "THREADS": 2, "LEASE_SECONDS": 5, **settings}
        variables = {f"TRAINYARD_{name.upper()}": str(value) for name, value in chosen.items()}
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.worker.worker_process"],
                env={**os.environ, **environment, **variables, MARK: self.mark},
                stderr=stderr,
                start_new_session=True,
                cwd=Path(__file__).parents[2],
            )

    def pids(self) -> list[int]:
        """List all processes that descend from this worker, zombies excluded."""
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    environment = (folder / "environ").read_bytes()
                except OSError:  # it has just ended
                    continue
                if f"{MARK}={self.mark}".encode() in environment.split(b"\0"):
                    found.append(int(folder.name))
        return sorted(found)

    def forkserver(self) -> int:
        """Find the fork server."""
        return eventually(
            lambda: next((pid for pid in self.pids() if b"forkserver import" in argv(pid)), None)
        )

    def training_process(self, job: Job) -> int:
        """Find the process of this attempt at a job, from the log: it says so when it begins."""
        begins = f"{job.id}: attempt {job.attempt} begins in process "

        def logged() -> int | None:
            lines = self.log.read_text(encoding="utf-8").splitlines()
            return next((int(line.rpartition(" ")[2]) for line in lines if begins in line), None)

        return eventually(logged)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group, as Ctrl-C and service managers do."""
        os.killpg(self.process.pid, number)

    def wait(self) -> int:
        """Wait for the worker itself to end."""
        return self.process.wait(timeout=DEADLINE_SECONDS)

    def destroy(self) -> None:
        """End all processes."""
        self.process.kill()
        self.process.wait()
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)


class Yard:
    """A database with a small text in it, and what is started on it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.catalogue = Catalogue.installed()
        self.url = database.engine.url.render_as_string(hide_password=False)
        self._workers: list[WorkerProcess] = []
        spec = TextDatasetSpec(name="kitchen", type="text")
        text = BytesIO("\n".join(SENTENCES).encode())
        new = registry.take_in(spec, {"file": text}, DatabaseBlobs(database))
        with database.begin() as session:
            self.dataset: Dataset = datasets.add_dataset(session, new, now=database_now(session))[0]

    def start_worker(
        self, *, environment: Mapping[str, str] | None = None, **settings: object
    ) -> WorkerProcess:
        """Start a worker; it is destroyed with the yard."""
        log = self.folder / "worker.log"
        worker = WorkerProcess(self.url, log, environment=environment or {}, **settings)
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        """End everything that was started."""
        for worker in self._workers:
            worker.destroy()

    def accept(
        self,
        *,
        max_steps: int = 10_000_000,
        hidden_size: int = 8,
        stable: bool = True,
        exact: Exactness = "preferred",
    ) -> Job:
        """Put a job in the queue; without `max_steps` it trains for ever."""
        # Where lr times weight decay is above 2, every step makes the weights larger.
        optimizer = {"type": "sgd", "lr": 0.1, "weight_decay": 0.0 if stable else 100.0}
        request = JobRequest(
            dataset=DatasetChoice(name=self.dataset.name),
            architecture=Component.model_validate({"type": "rnn", "hidden_size": hidden_size}),
            optimizer=Component.model_validate(optimizer),
            schedule=Component(type="constant"),
            training=TrainingOptions(max_steps=max_steps, batch_size=16, exact=exact),
        )
        request = self.catalogue.job_request.model_validate_json(request.model_dump_json())
        with self.database.begin() as session:
            facts = datasets.get_facts(session, self.dataset.name)
            spec = self.catalogue.resolve(request, facts)
            return jobs.enqueue(session, NewJob(spec=spec), now=database_now(session))

    def lose_data(self) -> None:
        """Lose the bytes of all datasets, as only a broken disk can."""
        with self.database.begin() as session:
            session.execute(sa.delete(BlobChunkRow))

    def job(self, job_id: str) -> Job:
        """Read a job."""
        with self.database.read() as session:
            return jobs.get_job(session, job_id)

    def act(self, job: Job, action: JobAction) -> None:
        """Do what a client asks for."""
        with self.database.begin() as session:
            jobs.apply_action(session, job.id, action, now=database_now(session))

    def wait_for(self, job: Job, *statuses: JobStatus) -> Job:
        """Wait until the job has one of these statuses."""

        def arrived() -> Job | None:
            now = self.job(job.id)
            return now if now.status in statuses else None

        return eventually(arrived)

    def checkpoints(self, job: Job) -> Sequence[Checkpoint]:
        """List the job's checkpoints, newest first."""
        with self.database.read() as session:
            return checkpoints.list_checkpoints(session, job.id).data

    def wait_for_checkpoint(self, job: Job, *, after_step: int = 0) -> Checkpoint:
        """Wait for a checkpoint that came further than a step."""
        return eventually(
            lambda: next((c for c in self.checkpoints(job) if c.step > after_step), None)
        )

    def certificate(self, job: Job) -> Certificate:
        """Read by which states the job went."""
        with self.database.read() as session:
            return certificates.get_certificate(session, job.id)

    def events(self, job: Job) -> list[Event]:
        """List what happened to the job."""
        with self.database.read() as session:
            return list(events.list_events(session, job.id, limit=100_000))

    def worker_statuses(self) -> list[str]:
        """List the statuses of the registered workers."""
        with self.database.read() as session:
            return [worker.status for worker in claims.list_workers(session)]

    def lose_lease(self, job: Job) -> None:
        """Let the job's lease expire, as if its worker had been silent for long."""
        with self.database.begin() as session:
            mine = sa.update(JobRow).where(JobRow.id == job.id)
            session.execute(mine.values(lease="taken by another"))
            expired = database_now(session) - timedelta(seconds=1)
            session.execute(mine.values(lease_expires_at=expired))


def argv(pid: int) -> bytes:
    """Return the command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name: state, parent, … (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
