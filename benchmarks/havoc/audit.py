"""What must hold after any harm: nothing lost, stuck, doubled, different or left behind."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from benchmarks.havoc.traffic import Posted, Traffic
from service.store.engine import Database
from service.store.tables import BlobChunkRow, BlobRow, CheckpointRow, JobRow, ModelVersionRow

SCHEDULED = {"best", "latest", "periodic"}
FOLLOWS: Mapping[str, Mapping[str, str]] = {
    "queued": {"": "queued", "running": "queued"},
    "claimed": {"queued": "running"},
    "resumed": {"running": "running", "paused": "queued"},
    "paused": {"running": "paused", "queued": "paused"},
    "reclaimed": {"running": "queued"},
    "retried": {"failed": "queued", "cancelled": "queued"},
    "cancelled": {"queued": "cancelled", "running": "cancelled", "paused": "cancelled"},
    "succeeded": {"running": "succeeded"},
    "failed": {"running": "failed"},
}
"""Event → the status it may come in → the status after it. All others come while it runs."""

LEGAL_FAILURES = {"child_died", "worker_lost"}
"""Too many deaths in a row is what the service promises to give up after."""

PAGE = 100
FOLLOW_SECONDS = 10.0


@dataclass
class Truth:
    """What a quiet run of a recipe left: what every harmed run must leave, too."""

    certificate: str
    checkpoints: set[tuple[str, int, str, str]]
    metrics: Mapping[str, Any]
    result: Mapping[str, Any]


@dataclass
class Findings:
    """Everything that is wrong, in words."""

    lost: list[str] = field(default_factory=list[str])
    stuck: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    hash_mismatches: list[str] = field(default_factory=list[str])
    wrong_metrics: list[str] = field(default_factory=list[str])
    wrong_events: list[str] = field(default_factory=list[str])
    wrong_streams: list[str] = field(default_factory=list[str])
    wrong_failures: list[str] = field(default_factory=list[str])
    broken_blobs: list[str] = field(default_factory=list[str])


def truth_of(traffic: Traffic, job: str) -> Truth:
    """Read what a quiet run left."""
    read = traffic.read(f"/v1/jobs/{job}")
    assert read["status"] == "succeeded", read
    certificate = _certificate(traffic, job)
    return Truth(certificate, _checkpoints(traffic, job), _metrics(traffic, job), _result(read))


def look_at_jobs(traffic: Traffic, truths: Mapping[str, Truth], findings: Findings) -> None:
    """Compare every job that was accepted with what a quiet run left."""
    for posted in traffic.ledger.posted:
        found = traffic.read(f"/v1/jobs?metadata.chaos={posted.number}")["data"]
        if len(found) > 1:
            findings.doubled.append(f"{posted} is {[each['id'] for each in found]}")
        if posted.deleted or not posted.accepted:
            continue
        if posted.job not in {each["id"] for each in found}:
            findings.lost.append(str(posted))
            continue
        _look_at_job(traffic, posted, truths[posted.recipe], findings)


def _look_at_job(traffic: Traffic, posted: Posted, truth: Truth, findings: Findings) -> None:
    job = str(posted.job)
    read = traffic.read(f"/v1/jobs/{job}")
    wrong = list(_wrong_events(_events(traffic, job), read))
    findings.wrong_events.extend(f"{job}: {each}" for each in wrong)
    if read["status"] == "failed" and read["error"]["code"] not in LEGAL_FAILURES:
        findings.wrong_failures.append(f"{job}: {read['error']}")
    if read["status"] != "succeeded":
        return
    kept = _checkpoints(traffic, job)
    if _result(read) != truth.result or not truth.checkpoints <= kept:
        findings.hash_mismatches.append(f"{job} ({posted.recipe})")
    elif _certificate(traffic, job) != truth.certificate:
        findings.hash_mismatches.append(f"{job} ({posted.recipe}): certificate")
    if _metrics(traffic, job) != truth.metrics:
        findings.wrong_metrics.append(f"{job} ({posted.recipe})")


def look_at_followers(traffic: Traffic, findings: Findings) -> None:
    """See that who followed a job was sent every event once, through all broken connections."""
    gone = {each.job for each in traffic.ledger.posted if each.deleted}
    for follower in traffic.followers:
        if follower.job in gone:
            continue
        follower.wait(FOLLOW_SECONDS)
        types = [each["type"] for each in _events(traffic, follower.job)]
        # A stream ends with its job; a retry begins another.
        whole = "retried" in types or len(follower.seqs) == len(types)
        if not whole or follower.seqs != list(range(1, len(follower.seqs) + 1)):
            findings.wrong_streams.append(f"{follower.job}: {follower.seqs} of {len(types)}")


def _certificate(traffic: Traffic, job: str) -> str:
    """Return the hash of all states that the job went by."""
    return traffic.read(f"/v1/jobs/{job}/certificate")["sha256"]


def _checkpoints(traffic: Traffic, job: str) -> set[tuple[str, int, str, str]]:
    found = traffic.read(f"/v1/jobs/{job}/checkpoints?limit={PAGE}")["data"]
    return {
        (each["kind"], each["step"], each["weights_sha256"], each["state_sha256"])
        for each in found
        if each["kind"] in SCHEDULED
    }


def _metrics(traffic: Traffic, job: str) -> Mapping[str, Any]:
    series = traffic.read(f"/v1/jobs/{job}/metrics")["series"]
    return {name: each for name, each in series.items() if not name.startswith("time/")}


def _result(read: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: read["result"][name] for name in ("metrics", "baseline")}


def _events(traffic: Traffic, job: str) -> list[Mapping[str, Any]]:
    events: list[Mapping[str, Any]] = []
    while True:
        after = events[-1]["seq"] if events else 0
        page = traffic.read(f"/v1/jobs/{job}/events?after={after}&limit={PAGE}")
        events.extend(page["data"])
        if not page["has_more"]:
            return events


def _wrong_events(events: Sequence[Mapping[str, Any]], job: Mapping[str, Any]) -> Iterator[str]:
    """Say what is missing, doubled or out of order."""
    seqs = [each["seq"] for each in events]
    if seqs != list(range(1, len(events) + 1)):
        yield f"seq {seqs}"
    status = ""
    for each in events:
        becomes = FOLLOWS.get(each["type"], {"running": "running"}).get(status)
        if becomes is None:
            yield f"{each['type']} ({each['seq']}) while {status}"
            return
        status = becomes
    if status != job["status"]:
        yield f"ends with {status}, but the job is {job['status']}"
    types = [each["type"] for each in events]
    if types.count("claimed") != job["attempt"]:
        yield f"{types.count('claimed')} claims in {job['attempt']} attempts"
    epochs = [each["data"]["epoch"] for each in events if each["type"] == "epoch"]
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"epochs {epochs}"
    found = [each["data"] for each in events if each["type"] == "finding"]
    said = [(each["code"], each.get("layer")) for each in found]
    if len(said) != len(set(said)):
        yield f"findings {said}"


def look_at_blobs(database: Database, findings: Findings) -> None:
    """Read every stored byte again, and see that nothing refers to bytes that are not there."""
    with database.read() as session:
        blobs = sa.select(BlobRow.sha256, BlobRow.upload_id).where(BlobRow.upload_id.is_not(None))
        complete = {row.sha256: row.upload_id for row in session.execute(blobs)}
        for sha256, upload in complete.items():
            chunks = sa.select(BlobChunkRow.data).where(BlobChunkRow.upload_id == upload)
            digest = hashlib.sha256()
            for data in session.scalars(chunks.order_by(BlobChunkRow.position)):
                digest.update(data)
            if digest.hexdigest() != sha256:
                findings.broken_blobs.append(sha256)
        columns = (
            *(CheckpointRow.weights_sha256, CheckpointRow.state_blob_sha256),
            *(CheckpointRow.preparation_sha256, JobRow.preparation_sha256),
            *(ModelVersionRow.weights_sha256, ModelVersionRow.preparation_sha256),
        )
        for column in columns:
            wanted = set(session.scalars(sa.select(column).where(column.is_not(None)).distinct()))
            findings.broken_blobs.extend(f"{column}: {each}" for each in wanted - complete.keys())
