"""Everything is harmed at once, and every accepted job ends as it would have in peace."""

from pathlib import Path

import pytest

from benchmarks import chaos

pytestmark = pytest.mark.slow  # what harms one thing at a time is in `make test`
SHORT = {"sqlite": 7, "postgresql": 8}
"""A seed each: the same posts, actions and harm every time, as far as a machine repeats itself."""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_harm_for_some_seconds_changes_no_job(database: str, tmp_path: Path) -> None:
    outcome = chaos.run(tmp_path, minutes=0.25, seed=SHORT[database], database=database, at_once=3)

    assert chaos.is_clean(outcome), outcome
    assert outcome["harm"], outcome


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_harm_for_minutes_changes_no_job(database: str, tmp_path: Path) -> None:
    outcome = chaos.run(tmp_path, minutes=5, seed=chaos.any_seed(), database=database)

    assert chaos.is_clean(outcome), outcome
    assert outcome["ends"]["succeeded"] > outcome["jobs"] / 4, outcome
