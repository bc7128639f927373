"""Killed with SIGKILL at any moment and gone on: everything ends as if nothing had happened.

Everything that is installed is in the runs, with each of its options; see `exactness/requests.py`.
"""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copyfile
from typing import Any, Literal, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from service.catalogue import Catalogue
from service.domain.environments import BFLOAT16
from service.domain.jobs import JobSpec
from service.store.engine import Database
from tests.training.exactness.lane import Counts, Kill
from tests.training.exactness.requests import Requests
from tests.training.exactness.yard import End, Lane, end_of, enqueue, store_data, stored_data

GOLDEN = 0.618034  # its multiples lie everywhere: hypothesis likes to repeat a number
BY: Sequence[Literal["step", "statement", "milliseconds"]] = ("statement", "step", "milliseconds")


class Death(NamedTuple):
    """Where an attempt dies, as a part of what the whole run does."""

    by: int
    part: float


DEATHS = st.lists(st.builds(Death, st.integers(0, 2), st.floats(0, 1)), min_size=1, max_size=2)
EXACTLY = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a shorter list of deaths helps nobody
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)


class Runs:
    """Some specs, trained in peace, and again with deaths."""

    def __init__(self, lane: Lane, specs: Sequence[JobSpec]) -> None:
        self._lane, self._specs = lane, specs
        ids, counts, _ = self._train([])
        self._quiet = [end_of(lane.database, id_) for id_ in ids]
        self._counts = [counts[id_] for id_ in ids]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._specs)

    @property
    def findings(self) -> list[Any]:
        """What the doctor found in the runs that were left in peace."""
        return [found for end in self._quiet for found in end.findings]

    def differing(self, deaths: Sequence[Sequence[Death]]) -> list[tuple[Any, ...]]:
        """Kill the runs; return what ends otherwise than in peace."""
        kills = [
            [_kill(death, number, count) for death in each]
            for number, (each, count) in enumerate(zip(deaths, self._counts, strict=True))
        ]
        ids, _, killed = self._train(kills)
        assert killed >= len(ids) / 2
        return [
            (spec.model_dump_json(), plan, _differences(end, quiet))
            for id_, spec, plan, quiet in zip(ids, self._specs, kills, self._quiet, strict=True)
            if (end := end_of(self._lane.database, id_)) != quiet or end.status != "succeeded"
        ]

    def _train(self, kills: Sequence[list[Kill]]) -> tuple[list[str], dict[str, Counts], int]:
        ids = enqueue(self._lane.database, self._specs)
        threads = {id_: 1 + number % 2 for number, id_ in enumerate(ids)}
        report = self._lane.work_off(dict(zip(ids, kills, strict=False)), threads)
        return ids, report.counts, report.killed


@pytest.fixture(scope="module")
def data_file(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with data of every type."""
    file = tmp_path_factory.mktemp("lanes") / "data.db"
    copyfile(sqlite_template, file)
    database = Database.open(f"sqlite:///{file}")
    store_data(database)
    database.dispose()  # all is in the one file that is copied
    return file


@pytest.fixture(scope="module")
def lanes(data_file: Path) -> Iterator[list[Lane]]:
    """A process for each processor, each on a database of its own."""
    made: list[Lane] = []
    for name in ("one.db", "other.db"):
        file = copyfile(data_file, data_file.with_name(name))
        made.append(Lane(Database.open(f"sqlite:///{file}", pool_size=2)))
    yield made
    for lane in made:
        lane.close()
        lane.database.dispose()


@pytest.fixture(scope="module")
def requests(lanes: list[Lane]) -> Requests:
    return Requests(Catalogue.installed(), stored_data(lanes[0].database))


@pytest.fixture(scope="module")
def some_choices(lanes: list[Lane], requests: Requests) -> list[Runs]:
    """Some of the runs that together hold every choice, others each time."""
    specs = requests.covering(all_pairs=False)
    return _in_peace(lanes, random.SystemRandom().sample(specs, len(specs) // 5))


@pytest.fixture(scope="module")
def every_pair(lanes: list[Lane], requests: Requests) -> list[Runs]:
    return _in_peace(lanes, requests.covering(all_pairs=True))


@settings(EXACTLY, max_examples=1)
@given(st.data())
def test_some_choices_survive_kills_bit_for_bit(
    some_choices: list[Runs], data: st.DataObject
) -> None:
    assert _killed(some_choices, data) == []


@pytest.mark.slow
@pytest.mark.timeout(2400)
@settings(EXACTLY, max_examples=1)
@given(st.data())
def test_every_pair_of_choices_survives_kills_bit_for_bit(
    every_pair: list[Runs], data: st.DataObject
) -> None:
    assert _killed(every_pair, data) == []


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_doctor_finds_something_in_some_runs(every_pair: list[Runs]) -> None:
    codes = {found["code"] for runs in every_pair for found in runs.findings}
    assert len(codes) > 1


def test_everything_that_is_installed_is_in_the_runs(requests: Requests) -> None:
    specs = requests.covering(all_pairs=False)
    catalogue = Catalogue.installed()

    used = {component for spec in specs for component in spec.components()}

    assert used - {BFLOAT16} == set(catalogue.components())


def test_every_optimizer_has_a_run_whose_lr_is_picked(requests: Requests) -> None:
    specs = requests.covering(all_pairs=False)

    picking = {spec.optimizer.type for spec in specs if spec.optimizer.options()["lr"] == "auto"}

    assert picking == {info.type for info in Catalogue.installed().infos("optimizer")}


def _in_peace(lanes: Sequence[Lane], specs: Sequence[JobSpec]) -> list[Runs]:
    shares = [specs[number :: len(lanes)] for number in range(len(lanes))]
    with ThreadPoolExecutor(len(lanes)) as pool:
        return list(pool.map(Runs, lanes, shares))


def _killed(runs: Sequence[Runs], data: st.DataObject) -> list[tuple[Any, ...]]:
    sizes = [each.size for each in runs]
    shares = [data.draw(st.lists(DEATHS, min_size=size, max_size=size)) for size in sizes]
    # The plainest example comes first, every time, and costs as much as a better one.
    assume(any(death.part for share in shares for deaths in share for death in deaths))
    with ThreadPoolExecutor(len(runs)) as pool:
        found = pool.map(Runs.differing, runs, shares)
        return [difference for each in found for difference in each]


def _kill(death: Death, number: int, counts: Counts) -> Kill:
    by = BY[(death.by + number) % len(BY)]
    part = (death.part + number * GOLDEN) % 1
    return Kill(by=by, at=1 + int(part * getattr(counts, by)))


def _differences(end: End, quiet: End) -> dict[str, tuple[Any, Any]]:
    both = zip(end._asdict().items(), quiet, strict=True)
    return {name: (ours, theirs) for (name, ours), theirs in both if ours != theirs}
