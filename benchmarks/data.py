"""What it costs to take data in, and what the defaults make of the data that we ship.

`table`: check and store a CSV of 1,000,000 rows × 10 columns against polars reading it and the same
bytes being stored. `text`: the memory of checking running text of 16 MB and of 250 MB. `words`: a
text of 10,000,000 words as numbers against a plain loop over its words. `pictures`: a zip decoded
on all cores against one. `models`: jobs with nothing but a dataset and an architecture.
"""

import argparse
import io
import multiprocessing
import os
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from PIL import Image

from benchmarks.running import trainyard
from service.client import Client
from service.datasets import registry
from service.datasets.words import Corpus, tokenize
from service.domain.datasets import ImageFolderDatasetSpec, TableDatasetSpec, TextDatasetSpec
from service.store import migrate
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database
from service.training.device import cpu_name

ROWS, COLUMNS = 1_000_000, 10
WORDS = 10_000_000
TEXT_MEGABYTES = (16, 64, 250)
MODELS = (("sms-spam", "mlp"), ("korean-chat", "mlp"), ("solar", "mlp"))


def main() -> None:
    """Run what was asked for, or all."""
    parts: dict[str, Callable[[int], None]] = {
        "table": table,
        "text": text,
        "words": words,
        "pictures": pictures,
        "models": models,
    }
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("parts", nargs="*", choices=[*parts, []], help="null: all")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    print(f"{datetime.now(UTC).date()}, {cpu_name()}")
    for name in given.parts or parts:
        print()
        parts[name](given.rounds)


def table(rounds: int) -> None:
    """Take a table in, and compare with the least that could be done."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "table.csv"
        decoded = _write_table(file)
        database = _database(folder)
        reads: list[float] = []
        stores: list[float] = []
        ours: list[float] = []
        for number in range(rounds):
            reads.append(_seconds(partial(pl.read_csv, file)))
            stores.append(_seconds(partial(_store, database, file, number)))
            ours.append(_seconds(partial(_take_in, database, file, number)))
        database.dispose()
        least = median(reads) + median(stores)
        print(f"| {ROWS:,} rows × {COLUMNS} columns | s, median | ratio |\n| --- | ---: | ---: |")
        print(f"| polars reads it | {median(reads):.2f} | |")
        print(f"| its {file.stat().st_size / 1e6:.0f} MB are stored | {median(stores):.2f} | |")
        print(f"| both | {least:.2f} | 1.00 |")
        print(f"| checked and stored | {median(ours):.2f} | {median(ours) / least:.2f} |")
        peak = _peak(_check_table, file)
        print(f"| memory of the check | {peak:.0f} MB | {peak / decoded:.1f} × the table |")


def text(rounds: int) -> None:
    """Check texts of several sizes, each in a process of its own."""
    del rounds
    print("| running text, MB | memory of the check, MB |\n| ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "text.txt"
        for megabytes in TEXT_MEGABYTES:
            _write_text(file, megabytes)
            print(f"| {megabytes} | {_peak(_check_text, file):.0f} |", flush=True)


def words(rounds: int) -> None:
    """Number the words of a text, by ours and by a loop."""
    generator = random.Random(0)
    known = ["".join(generator.choices("abcdefghij", k=6)) for _ in range(20_000)]
    lines = [" ".join(generator.choices(known, k=20)) for _ in range(WORDS // 20)]
    loops: list[float] = []
    ours: list[float] = []
    for _ in range(rounds):
        loops.append(_seconds(lambda: _loop(lines)))
        ours.append(_seconds(lambda: Corpus.of(lines)))
    print(f"| {WORDS:,} words as numbers | s, median | ratio |\n| --- | ---: | ---: |")
    print(f"| a plain loop | {median(loops):.1f} | 1.00 |")
    print(f"| ours | {median(ours):.1f} | {median(loops) / median(ours):.2f} × as fast |")


def pictures(rounds: int) -> None:
    """Decode a zip of photographs, with all cores and with one."""
    content = _zip_of_pictures()
    spec = ImageFolderDatasetSpec(name="photos", type="image_folder", height=64, width=64)

    def check() -> None:
        registry.check(spec, {"file": io.BytesIO(content)})

    cores = os.sched_getaffinity(0)
    each: list[tuple[float, float]] = []
    alone: list[tuple[float, float]] = []
    for _ in range(rounds):
        each.append(_costs(check))
        os.sched_setaffinity(0, {min(cores)})
        alone.append(_costs(check))
        os.sched_setaffinity(0, cores)
    # The best of each: whatever else runs takes cores away, and gives none.
    (alone_s, alone_processor), (each_s, each_processor) = min(alone), min(each)
    print("| 400 pictures of 1024 × 768 | s, best | of processors | ratio |")
    print("| --- | ---: | ---: | ---: |")
    print(f"| one core | {alone_s:.2f} | {alone_processor:.2f} | 1.00 |")
    print(
        f"| {len(cores)} cores | {each_s:.2f} | {each_processor:.2f} | {alone_s / each_s:.2f} × |"
    )


def models(rounds: int) -> None:
    """Train with defaults on what we ship, and print what comes out."""
    del rounds
    print("| dataset | architecture | metric | value | 95 % | baseline | s |")
    print("| --- | --- | --- | ---: | --- | --- | ---: |")
    with (
        tempfile.TemporaryDirectory() as name,
        trainyard(Path(name)) as service,
        Client(service.url) as client,
    ):
        for dataset, architecture in MODELS:
            began = time.monotonic()
            body = {"dataset": dataset, "architecture": architecture}
            job = client.wait_for_job(client.create_job(body).id, deadline=1200)
            took = time.monotonic() - began
            assert job.result is not None, job.error
            assert job.result.evaluation is not None
            baseline = job.result.baseline
            known = ", ".join(f"{key} {value:.3f}" for key, value in baseline.metrics.items())
            for metric, found in job.result.evaluation.intervals.items():
                print(
                    f"| {dataset} | {architecture} | {metric} | {found.value:.3f} "
                    f"| {found.low:.3f} to {found.high:.3f} | {baseline.name}: {known} "
                    f"| {took:.0f} |"
                )


def _write_table(file: Path) -> float:
    """Write numbers, categories and gaps; return the megabytes of the table in memory."""
    generator = np.random.default_rng(0)
    columns: dict[str, object] = {
        f"n{number}": np.round(generator.normal(size=ROWS), 4) for number in range(COLUMNS - 2)
    }
    columns["kind"] = generator.choice(["north", "south", "east", "west"], size=ROWS)
    columns["y"] = generator.integers(0, 1000, size=ROWS)
    frame = pl.DataFrame(columns)
    frame.write_csv(file)
    return frame.estimated_size() / 1e6


def _write_text(file: Path, megabytes: int) -> None:
    generator = random.Random(0)
    known = ["".join(generator.choices("abcdefghij", k=6)) for _ in range(50_000)]
    with file.open("w", encoding="ascii") as stream:
        while stream.tell() < megabytes * 1_000_000:
            stream.write(" ".join(generator.choices(known, k=2000)) + "\n")


def _zip_of_pictures() -> bytes:
    generator = np.random.default_rng(0)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(400):
            small = generator.integers(0, 255, size=(48, 64, 3), dtype=np.uint8)
            picture = io.BytesIO()
            Image.fromarray(small).resize((1024, 768)).save(picture, "JPEG")
            archive.writestr(f"{'cats' if number % 2 else 'dogs'}/{number}.jpg", picture.getvalue())
    return content.getvalue()


def _database(folder: Path) -> Database:
    database = Database.open(f"sqlite:///{folder / 'trainyard.db'}")
    migrate.upgrade(database)
    return database


def _store(database: Database, file: Path, number: int) -> None:
    # One byte more each time: the same bytes are stored once.
    content = file.read_bytes() + b"\n" * (2 * number + 2)
    DatabaseBlobs(database).put(io.BytesIO(content))


def _take_in(database: Database, file: Path, number: int) -> None:
    content = file.read_bytes() + b"\n" * (2 * number + 1)
    files = {"file": io.BytesIO(content)}
    registry.take_in(_TABLE, files, DatabaseBlobs(database))


_TABLE = TableDatasetSpec(name="table", type="table", target="y")


def _check_table(file: Path) -> None:
    with file.open("rb") as stream:
        registry.check(_TABLE, {"file": stream})


def _check_text(file: Path) -> None:
    with file.open("rb") as stream:
        spec = TextDatasetSpec(name="text", type="text", sequences="stream")
        registry.check(spec, {"file": stream})


def _loop(lines: list[str]) -> list[int]:
    """Do what one writes first."""
    numbers: dict[str, int] = {}
    ids: list[int] = []
    for line in lines:
        for word in tokenize(line):
            if word not in numbers:
                numbers[word] = len(numbers)
            ids.append(numbers[word])
    return ids


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _costs(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds, and those of all processors together."""
    began = time.process_time()
    return _seconds(work), time.process_time() - began


def _peak(work: Callable[[Path], None], file: Path) -> float:
    """Return by how many megabytes the memory of a fresh process grows at most."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_grown, (work, file))


def _grown(work: Callable[[Path], None], file: Path) -> float:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the highest mark
    before = _highest_kilobytes()
    work(file)
    return (_highest_kilobytes() - before) / 1000


def _highest_kilobytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    sys.exit(main())
