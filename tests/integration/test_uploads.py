"""Rows over HTTP: what is told of them, what is stored, and what is not."""

import httpx
import pytest

from service.client import Client, InvalidError, NotFoundError
from service.domain.datasets import TextFacts
from tests.integration.cases.rows import LABELLED, OPINIONS, TABLE

WORDS = [*enumerate(["goes", "went", "is", "was", "will be", "seems", "ends", "began"])]


def test_a_dry_run_tells_everything_and_stores_nothing(client: Client) -> None:
    spec = {"name": "dry", "type": "table", "target": "weight"}
    broken = client.check_dataset(spec, {"file": TABLE + b"1\nx,2\n"})
    assert (broken.accepted, broken.facts) == (False, None)
    assert {(each.code, each.line) for each in broken.findings if each.level == "error"} == {
        ("ragged_row", 22),
        ("not_a_number", 23),
    }
    fine = client.check_dataset(spec, {"file": TABLE})
    with pytest.raises(NotFoundError):
        client.get_dataset("dry")
    assert fine.accepted
    assert client.add_dataset(spec, {"file": TABLE}).sha256 == fine.sha256


def test_a_dry_run_tells_that_a_name_is_taken(client: Client) -> None:
    client.add_dataset({"name": "taken", "type": "table"}, {"file": TABLE})
    other = client.check_dataset({"name": "taken", "type": "table"}, {"file": TABLE + b"1,2\n"})
    same = client.check_dataset({"name": "taken", "type": "table"}, {"file": TABLE})
    assert (other.accepted, other.findings[0].code) == (False, "dataset_name_taken")
    assert same.accepted


def test_skipped_lines_are_told_with_the_dataset(client: Client) -> None:
    spec = {"name": "skipped", "type": "labelled_text", "on_error": "skip"}
    with pytest.raises(InvalidError) as raised:
        client.add_dataset({**spec, "on_error": "refuse"}, {"file": LABELLED + b"a,b,c\n"})
    assert [error.line for error in raised.value.errors] == [22]
    client.add_dataset(spec, {"file": LABELLED + b"a,b,c\n"})
    found = client.get_dataset("skipped")
    assert ("lines_skipped", 22) in {(each.code, each.line) for each in found.findings}
    assert found.options["on_error"] == "skip"


def test_a_text_may_bring_the_file_that_validates(client: Client) -> None:
    spec = {"name": "weather", "type": "text"}
    files = {"file": b"the sun is warm", "validation_file": "비가 온다\nthe sun\n".encode()}
    told = client.add_dataset(spec, files)
    assert isinstance(told.facts, TextFacts)
    assert (told.facts.lines, told.facts.test_lines) == (1, 2)
    body = {"dataset": "weather", "architecture": "mlp", "training": {"max_steps": 1}}
    with pytest.raises(InvalidError):
        client.create_job(body)
    job = client.wait_for_job(client.create_job({**body, "architecture": "rnn"}).id, deadline=60)
    assert job.status == "succeeded"
    vocabulary = client.measure_dataset("weather").vocabulary
    assert vocabulary is not None
    assert vocabulary.unknown_in_validation == 0.5


def test_rows_in_json_are_the_file_that_they_would_have_been(http: httpx.Client) -> None:
    body = {"name": "opinions", "type": "labelled_text", "rows": OPINIONS}
    first, again = http.post("/v1/datasets", json=body), http.post("/v1/datasets", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["facts"]["classes"] == ["no", "yes"]
    assert first.json()["sha256"] == again.json()["sha256"]


def test_keys_of_rows_are_names_whatever_the_values_look_like(http: httpx.Client) -> None:
    rows = [{"text": f"so it {word}", "label": "label" if n % 2 else "other"} for n, word in WORDS]
    body = {"name": "keys", "type": "labelled_text", "rows": rows}

    facts = http.post("/v1/datasets", params={"dry_run": True}, json=body).json()["facts"]

    assert (facts["classes"], facts["examples"]) == (["label", "other"], len(rows))
