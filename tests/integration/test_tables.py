"""A table from its upload to its answers, over HTTP, on both databases."""

from typing import Any

import pytest

from service.client import Client, InvalidError
from service.domain.jobs import Job
from tests.integration.states import A_TABLE

ROW = {"hour": 3, "sky": "rain", "day": "2026-02-01", "wind": 4.5}
"""Power grows by 1.5 a row; this is one of the first."""


@pytest.fixture(scope="module")
def table(client: Client) -> str:
    """A table of 60 rows: what is learned, units, and columns that nothing can be learned from."""
    spec = {"name": "plant", "type": "table", "target": "power", "units": {"power": "kW"}}
    return client.add_dataset(spec, {"file": A_TABLE.encode()}).name


def trained(client: Client, dataset: Any, **more: Any) -> Job:
    body = {"dataset": dataset, "architecture": "mlp", "training": {"epochs": 3}, **more}
    job = client.wait_for_job(client.create_job(body).id)
    assert job.status == "succeeded", job.error
    return job


def test_a_table_is_learned_and_asked(client: Client, table: str) -> None:
    job = trained(client, table, model="plant")
    assert job.spec.task == "regression"
    assert job.result is not None
    assert job.result.metrics.keys() >= {"val_loss", "val_mae", "val_rmse", "val_r2"}
    assert job.result.baseline.name == "mean"
    (answer,) = client.predict("plant", [ROW]).predictions
    assert answer.value is not None
    assert answer.unit == "kW"
    assert answer.warnings == []


def test_strange_rows_are_answered_with_warnings(client: Client, table: str) -> None:
    job = trained(client, {"name": table, "categorical": "one_hot", "cyclic": ["hour"]})
    assert job.result is not None
    strange = {"hour": 1000, "sky": "hail", "day": "1999-01-01"}
    (answer,) = client.predict(job.id, [strange]).predictions
    assert answer.value is not None
    assert len(answer.warnings) == 4
    assert "wind is missing" in answer.warnings


def test_wrong_rows_are_named_by_their_features(client: Client, table: str) -> None:
    job = trained(client, table)
    wrong = [{"houor": 3, "sky": 5, "day": "2026-02-01"}, ROW, {**ROW, "hour": None}]
    with pytest.raises(InvalidError) as caught:
        client.predict(job.id, wrong)
    errors = {error.pointer: error.detail for error in caught.value.errors}
    assert errors.keys() == {
        "/inputs/0/houor",
        "/inputs/0/hour",
        "/inputs/0/sky",
        "/inputs/2/hour",
    }
    assert "did you mean 'hour'?" in errors["/inputs/0/houor"]


def test_a_category_is_learned_as_a_class(client: Client, table: str) -> None:
    job = trained(client, {"name": table, "target": "sky", "class_weights": "balanced"})
    assert job.spec.task == "classification"
    assert job.result is not None
    assert job.result.baseline.name == "majority_class"
    row = {name: value for name, value in ROW.items() if name != "sky"}
    (answer,) = client.predict(job.id, [{**row, "power": 4}]).predictions
    assert {candidate.model_dump()["label"] for candidate in answer.candidates} == {"rain", "clear"}
    assert answer.value is None


def test_solar_is_told_from_the_weather_with_defaults(client: Client) -> None:
    body = {"dataset": "solar", "architecture": "mlp", "training": {"epochs": 5}}
    job = client.wait_for_job(client.create_job(body).id)
    assert job.result is not None
    assert job.result.metrics["val_r2"] is not None
    assert job.result.metrics["val_r2"] > 0.9
    assert job.result.baseline.name == "persistence"
