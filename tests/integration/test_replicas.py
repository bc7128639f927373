"""Several API processes over one PostgreSQL: what one of them changes, the others see soon."""

from pathlib import Path

import httpx
import pytest

from service.store.engine import Database
from tests.eventually import eventually
from tests.integration.api_processes import Api, api_processes
from tests.prediction.test_engine import a_trained_model


def ask(api: Api, reference: str) -> httpx.Response:
    body = {"inputs": ["I like"]}
    return httpx.post(f"{api.url}/v1/models/{reference}/predict", json=body, timeout=60)


def version(api: Api, reference: str) -> int | None:
    return ask(api, reference).json().get("version")


@pytest.fixture
def two_versions(postgresql_database: Database) -> Database:
    for seed in (0, 1):
        a_trained_model(postgresql_database, seed=seed, epochs=1)
    return postgresql_database


def test_replicas_see_what_another_one_changes(two_versions: Database, tmp_path: Path) -> None:
    with api_processes(two_versions, tmp_path, 2) as (one, other):
        alias = f"{one.url}/v1/models/eating/aliases/champion"
        httpx.put(alias, json={"version": 1}, timeout=60).raise_for_status()
        assert [version(api, "eating@champion") for api in (one, other)] == [1, 1]

        httpx.put(alias, json={"version": 2}, timeout=60).raise_for_status()
        assert version(one, "eating@champion") == 2
        eventually(lambda: version(other, "eating@champion") == 2)

        checkpoint = ask(other, "eating@1").json()["checkpoint"]
        promoted = httpx.post(
            f"{one.url}/v1/models/eating/versions", json={"checkpoint": checkpoint}, timeout=60
        )
        assert promoted.json()["version"] == 3
        eventually(lambda: version(other, "eating") == 3)

        httpx.delete(f"{one.url}/v1/models/eating@1", timeout=60).raise_for_status()
        eventually(lambda: ask(other, "eating@1").status_code == 404)
        assert "Version 1 of 'eating' was deleted" in ask(other, "eating@1").json()["detail"]
