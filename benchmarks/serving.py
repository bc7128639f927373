"""Predictions over HTTP: Trainyard against the servers that one would take else.

The CNN of PyTorch's MNIST example on 28×28 pixels as JSON, and an LSTM of 256 units over 10,000
words on prompts of 16. All servers have the same weights, the same torch and the same two cores,
and `wrk` sends them the same requests; one after the other, each from a cold start, in one run.
The other servers get environments of their own at first use (`.bench`).
"""

# pyright: reportUnknownMemberType=false
# torch annotates state_dict only in part.

import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
from safetensors.torch import load, save_file  # pyright: ignore[reportUnknownVariableType]

from benchmarks import wrk
from benchmarks.cnn import NETWORK
from benchmarks.measuring import built_in
from benchmarks.running import trainyard
from benchmarks.servers import SERVERS, Server, running
from service.catalogue import Catalogue
from service.client import Client
from service.datasets.base import ImageData
from service.store import blobs as blob_store
from service.store import models as model_store
from service.store.engine import Database
from service.training.device import cpu_name

CONCURRENCIES = (1, 8, 32)
BODIES = 16
NEVER_SEEN = 4096
"""Prompts in turn: more than Trainyard remembers, so that each is new to it when it comes."""

VOCABULARY = 10_000
PROMPT = 16
JOBS = {
    "images": {"dataset": "fashion-mnist-mini", "architecture": NETWORK},
    "words": {
        "dataset": "ten-thousand-words",
        "architecture": {"type": "lstm", "embedding_size": 128, "hidden_size": 256},
    },
}


class Row(NamedTuple):
    """What one server did, by concurrency; the memory after all of it."""

    server: str
    found: dict[int, wrk.Found]
    cold_start_seconds: float
    memory_bytes: int


def main() -> None:
    """Measure and print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--kinds", nargs="+", default=[*JOBS], choices=[*JOBS])
    options.add_argument("--servers", nargs="+", default=[each.name for each in SERVERS])
    given = options.parse_args()
    if not wrk.is_there():
        print("not measured: this needs `wrk` (github.com/wg/wrk, or a package of your system)")
        return
    servers = [each for each in SERVERS if each.name in given.servers]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        print(f"{datetime.now(UTC).date()}, {cpu_name()}, {os.cpu_count()} cores")
        for kind in given.kinds:
            rounds = [
                [
                    row
                    for server in servers
                    if (kind == "words" or not server.new_words)
                    and (row := one(server, folder, kind, given.seconds))
                ]
                for _ in range(given.rounds)
            ]
            show(kind, [_median(rows) for rows in zip(*rounds, strict=True)])


def one(server: Server, folder: Path, kind: str, seconds: float) -> Row | None:
    """Measure one server from its start to its end; None where it cannot be installed."""
    inputs = questions(folder, kind, NEVER_SEEN if server.new_words else BODIES)
    bodies = [json.dumps({"inputs": [each]}).encode() for each in inputs]
    try:
        with running(
            server, folder, kind, right=_right(folder, kind, inputs[0]), body=bodies[0]
        ) as at:
            found: dict[int, wrk.Found] = {}
            wrk.measure(at.url, bodies, connections=8, seconds=2, folder=folder)
            for connections in CONCURRENCIES:
                found[connections] = wrk.measure(
                    at.url, bodies, connections=connections, seconds=seconds, folder=folder
                )
                if found[connections].errors:
                    print(f"  {server.name}: {found[connections].errors} errors at {connections}")
            return Row(server.name, found, at.cold_start_seconds, at.memory_bytes())
    except subprocess.CalledProcessError as error:
        print(f"  {server.name}: not measured, {error}")
        return None


def questions(folder: Path, kind: str, count: int = BODIES) -> list[Any]:
    """Make the inputs that are sent, the same for all; the first ones are those of fewer."""
    drawn = random.Random(7)
    if kind == "images":
        _, data = built_in("fashion-mnist-mini")
        assert isinstance(data, ImageData)
        return [image[0].tolist() for image in data.images[:count]]
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))["vocabulary"][2:]
    return [" ".join(drawn.choices(words, k=PROMPT)) for _ in range(count)]


def _right(folder: Path, kind: str, question: Any) -> Callable[[httpx.Response], bool]:
    """Make the check of an answer: the same best candidates as the network alone gives."""
    expected = json.loads((folder / f"{kind}-answers.json").read_text(encoding="utf-8"))
    assert expected["question"] == question

    def right(answer: httpx.Response) -> bool:
        found = _candidates(answer.json())
        named = [each.get("label") or each.get("token") for each in found]
        return named == expected["named"]

    return right


def _candidates(answer: Any) -> list[dict[str, Any]]:
    """Find the candidates of the one input, however a server wraps them."""
    if isinstance(answer, dict):
        body = cast("dict[str, Any]", answer)
        return _candidates(body.get("predictions") or body["candidates"])
    rows = cast("list[Any]", answer)
    return _candidates(rows[0]) if len(rows) == 1 else rows


def prepare(folder: Path) -> None:
    """Train both networks a little, and write their weights for all others."""
    drawn = random.Random(0)
    words = [f"w{number}" for number in range(VOCABULARY - 2)]
    # Each word stands in many lines: those of validation are in no vocabulary.
    lines = [" ".join(drawn.sample(words, 14)) for _ in range(10 * VOCABULARY // 14)]
    with trainyard(folder) as service, Client(service.url) as client:
        client.add_dataset(
            {"name": "ten-thousand-words", "type": "text"}, {"file": "\n".join(lines).encode()}
        )
        for kind, job in JOBS.items():
            body = {**job, "model": kind, "training": {"max_steps": 30}}
            ended = client.wait_for_job(client.create_job(body).id, deadline=600)
            assert ended.status == "succeeded", ended.error
        database = Database.open(f"sqlite:///{folder}/trainyard.db")
        for kind in JOBS:
            export(database, kind, folder)
            question = questions(folder, kind)[0]
            answer = client.predict(kind, [question])
            named = [
                getattr(each, "label", None) or getattr(each, "token", None)
                for each in answer.predictions[0].candidates
            ]
            (folder / f"{kind}-answers.json").write_text(
                json.dumps({"question": question, "named": named})
            )
        database.dispose()


def export(database: Database, kind: str, folder: Path) -> None:
    """Write the weights in the order of the layers, and what a request needs beside them."""
    with database.read() as session:
        servable = model_store.get_servable(session, kind)
    catalogue = Catalogue.installed()
    task = catalogue.restore(servable.task, blob_store.read(database, servable.preparation_sha256))
    weights = load(blob_store.read(database, servable.weights_sha256))
    names = [*catalogue.build_model(servable.architecture, task.shape).state_dict()]
    if kind == "words":  # ours names the last layer first
        names = [*names[2:], *names[:2]]
    ordered = {f"{number:02}": weights[name] for number, name in enumerate(names)}
    save_file(ordered, folder / f"{kind}.safetensors")
    beside = _beside(kind, json.loads(task.preparation()))
    (folder / f"{kind}.json").write_text(json.dumps(beside))


def _beside(kind: str, prepared: dict[str, object]) -> dict[str, object]:
    """Tell what a request needs beside the weights."""
    if kind == "words":
        sizes = {"embedding_size": 128, "hidden_size": 256}
        return {"vocabulary": prepared["vocabulary"], **sizes}
    mean, deviation = prepared["mean"], prepared["standard_deviation"]
    assert isinstance(mean, list)
    assert isinstance(deviation, list)
    return {"classes": prepared["classes"], "mean": mean[0], "deviation": deviation[0]}


def _median(rows: Sequence[Row]) -> Row:
    """Take the medians of the rounds of one server."""

    def middle(connections: int) -> wrk.Found:
        found = [row.found[connections] for row in rows]
        return wrk.Found(
            statistics.median(each.per_second for each in found),
            statistics.median(each.p50 for each in found),
            statistics.median(each.p99 for each in found),
            max(each.errors for each in found),
        )

    return Row(
        rows[0].server,
        {connections: middle(connections) for connections in CONCURRENCIES},
        statistics.median(row.cold_start_seconds for row in rows),
        int(statistics.median(row.memory_bytes for row in rows)),
    )


def show(kind: str, rows: Sequence[Row]) -> None:
    """Print what each did, and Trainyard's ratios to the hand-written and to the best peer."""
    print(f"\n{kind}: requests per second (p99 in ms)\n")
    print("| server | 1 | 8 | 32 | cold start s | memory MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        cells = " | ".join(
            f"{each.per_second:,.0f} ({each.p99:.0f})" for each in row.found.values()
        )
        print(
            f"| {row.server} | {cells} | {row.cold_start_seconds:.1f} "
            f"| {row.memory_bytes / 1e6:.0f} |",
            flush=True,
        )
    others = [row for row in rows if not row.server.startswith("Trainyard")]
    hand = next((row for row in others if "hand" in row.server), None)
    peers = [row for row in others if row is not hand]
    for ours in rows:
        if ours in others:
            continue
        if peers:
            best = max(each.found[32].per_second for each in peers)
            least = min(each.found[32].p99 for each in peers)
            print(
                f"\n{ours.server}: {ours.found[32].per_second / best:.2f} × the best peer at 32, "
                f"its p99 {ours.found[32].p99 / least:.2f} × the best p99 of a peer"
            )
        if hand:
            cold = ours.cold_start_seconds - hand.cold_start_seconds
            print(
                f"{ours.server}: {ours.found[1].per_second / hand.found[1].per_second:.2f} × by "
                f"hand at 1, cold start {cold:+.1f} s, memory "
                f"{ours.memory_bytes / hand.memory_bytes:.2f} ×"
            )


if __name__ == "__main__":
    main()
