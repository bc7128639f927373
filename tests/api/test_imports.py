"""A model that was trained on one service is served by another, and nothing else gets in."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings, strategies

from service.catalogue import Catalogue
from service.domain.problems import Invalid, Problem
from service.prediction.bundles import checking
from service.prediction.bundles.checking import checked
from service.prediction.bundles.unpacking import Unpacked
from service.store import blobs
from service.store.blobs import sha256_of
from service.store.engine import Database
from tests.api.asking import Asking
from tests.api.broken_bundles import (
    CONFIG,
    PREPARATION,
    REFUSED,
    calibrated_at,
    changed_config,
    changed_preparation,
    files_of,
    packed,
)
from tests.api.workshop import Workshop
from tests.integration.states import A_TABLE

ZIP = {"Content-Type": "application/zip"}
ODDITIES: list[Any] = [None, True, -1, 0, 2, 10**20, 0.5, "", "x", [], {}, [1], ["a"]]
ODD = strategies.sampled_from(ODDITIES)
SMALL = Catalogue.installed(max_parameters=100_000)


@pytest.fixture
def workshop(sqlite_database: Database, catalogue: Catalogue) -> Workshop:
    """Where models are trained."""
    return Workshop(sqlite_database, catalogue)


@pytest.fixture
def other(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """The database of another service."""
    file = shutil.copyfile(sqlite_template, tmp_path / "other.db")
    database = Database.open(f"sqlite:///{file}", pool_size=2)
    yield database
    database.dispose()


@pytest.fixture
def elsewhere(other: Database, catalogue: Catalogue) -> Asking:
    """The other service."""
    return Asking(other, catalogue)


@pytest.fixture(scope="module")
def bundle(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue
) -> bytes:
    """The zip of a small model."""
    file = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("bundle") / "here.db")
    database = Database.open(f"sqlite:///{file}", pool_size=2)
    made = Workshop(database, catalogue)
    made.a_trained_job(model="cook")
    content = downloaded(made, "cook")
    database.dispose()
    return content


def downloaded(workshop: Workshop, reference: str) -> bytes:
    answer = workshop.raw("GET", f"/v1/models/{reference}/download")
    assert answer.status_code == 200, answer.text
    return answer.content


def bring_in(
    asking: Asking, content: bytes, name: str = "brought", **headers: str
) -> httpx.Response:
    path = f"/v1/models?name={name}"
    return asking.request("POST", path, content=content, headers={**ZIP, **headers})


def asked(asking: Any, path: str, body: Mapping[str, Any]) -> Any:
    answer = asking.request("POST", path, json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    for name in ("model", "version", "checkpoint", "timings", "id"):
        told.pop(name, None)
    return told


@pytest.mark.parametrize("architecture", ["rnn", "gru", "lstm", "transformer"])
def test_a_model_of_texts_answers_writes_and_scores_as_where_it_was_trained(
    workshop: Workshop, elsewhere: Asking, architecture: str
) -> None:
    workshop.a_trained_job(
        model="cook", architecture=architecture, training={"max_steps": 3, "epochs": None}
    )
    assert bring_in(elsewhere, downloaded(workshop, "cook")).status_code == 201

    here = workshop.asking
    for path, body in (
        ("predict", {"inputs": ["I like", "", "we cook zebras"], "top_k": 4}),
        ("generate", {"prompt": "I like", "max_tokens": 6, "seed": 3}),
        ("score", {"inputs": ["I like eating rice"]}),
    ):
        theirs = asked(here, f"/v1/models/cook/{path}", body)
        assert asked(elsewhere, f"/v1/models/brought/{path}", body) == theirs


@pytest.mark.parametrize(
    ("dataset", "architecture", "question"),
    [
        ("digits", "cnn", [[n % 17 for n in range(8)]] * 8),
        ("digits", "mlp", [[0] * 8] * 8),
        ("sms-spam", "lstm", "call now to win"),
        ("power", "mlp", {"hour": 3, "sky": "rain", "day": "2026-01-01", "wind": 1.5}),
        ("skies", "mlp", {"hour": 3, "day": "2026-01-01", "wind": None, "power": 3}),
    ],
)
def test_models_of_all_tasks_answer_as_where_they_were_trained(
    workshop: Workshop, elsewhere: Asking, dataset: str, architecture: str, question: Any
) -> None:
    for name, target in (("power", "power"), ("skies", "sky")):
        spec = json.dumps({"name": name, "type": "table", "target": target})
        files = [("spec", (None, spec)), ("file", ("a.csv", A_TABLE.encode()))]
        assert workshop.raw("POST", "/v1/datasets", files=files).status_code in {200, 201}
    few = {"max_steps": 2, "epochs": None}
    workshop.a_trained_job(model="one", dataset=dataset, architecture=architecture, training=few)
    assert bring_in(elsewhere, downloaded(workshop, "one")).status_code == 201

    theirs = asked(workshop.asking, "/v1/models/one/predict", {"inputs": [question]})
    assert asked(elsewhere, "/v1/models/brought/predict", {"inputs": [question]}) == theirs


def test_weights_that_begin_as_a_pickle_does_are_taken(
    workshop: Workshop, elsewhere: Asking
) -> None:
    network = {"type": "mlp", "hidden_sizes": [128], "batch_norm": True}
    few = {"max_steps": 2, "epochs": None}
    workshop.a_trained_job(model="one", dataset="digits", architecture=network, training=few)
    content = downloaded(workshop, "one")
    assert files_of(content)["model.safetensors"].startswith(b"\x80\x02")
    assert bring_in(elsewhere, content).status_code == 201


def test_a_version_says_where_it_comes_from(bundle: bytes, elsewhere: Asking) -> None:
    answer = bring_in(elsewhere, bundle)

    made = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/models/brought@1")
    assert (made["model"], made["version"], made["job"], made["checkpoint"]) == (
        "brought",
        1,
        None,
        None,
    )
    assert (made["origin"]["model"], made["origin"]["version"]) == ("cook", 1)
    assert elsewhere.get("/v1/models/brought@1").json() == made
    card = elsewhere.get("/v1/models/brought/card")
    assert card.json()["training"] is None
    assert card.json()["dataset"]["sha256"] == made["origin"]["dataset_sha256"]
    assert (
        "where it was `cook@1`"
        in elsewhere.get("/v1/models/brought/card", accept="text/markdown").text
    )


def test_what_was_brought_in_can_leave_again_and_is_the_same(
    bundle: bytes, elsewhere: Asking
) -> None:
    bring_in(elsewhere, bundle)
    again = files_of(elsewhere.get("/v1/models/brought/download").content)
    for name in ("model.py", "model.safetensors", "preparation.json", "example.json"):
        assert again[name] == files_of(bundle)[name]


def test_the_same_model_under_the_same_name_is_there_already(
    bundle: bytes, elsewhere: Asking
) -> None:
    first = bring_in(elsewhere, bundle)
    repacked = packed(files_of(bundle), method=zipfile.ZIP_DEFLATED)
    second = bring_in(elsewhere, repacked)
    other_name = bring_in(elsewhere, bundle, "another")

    assert [each.status_code for each in (first, second, other_name)] == [201, 200, 201]
    assert second.json() == first.json()
    assert elsewhere.get("/v1/models/brought").json()["versions"] == [1]


def test_a_service_knows_its_own_model_again(workshop: Workshop) -> None:
    workshop.a_trained_job(model="cook")
    content = downloaded(workshop, "cook")
    again = workshop.raw("POST", "/v1/models?name=cook", content=content, headers=ZIP)
    assert (again.status_code, again.json()) == (200, workshop.get("/v1/models/cook@1"))


def test_another_task_needs_another_name(workshop: Workshop, bundle: bytes) -> None:
    few = {"max_steps": 2, "epochs": None}
    workshop.a_trained_job(model="digits", dataset="digits", architecture="mlp", training=few)
    answer = workshop.raw("POST", "/v1/models?name=digits", content=bundle, headers=ZIP)
    assert (answer.status_code, answer.json()["code"]) == (409, "model_task_differs")


def test_a_form_says_the_name_and_what_the_model_is_for(bundle: bytes, elsewhere: Asking) -> None:
    spec = json.dumps({"name": "요리", "description": "한 숟가락"})
    form = [("spec", (None, spec)), ("file", ("cook.zip", bundle))]
    assert elsewhere.request("POST", "/v1/models", files=form).status_code == 201
    assert elsewhere.get("/v1/models/요리").json()["description"] == "한 숟가락"


def test_a_key_makes_an_import_happen_one_time(bundle: bytes, elsewhere: Asking) -> None:
    first = bring_in(elsewhere, bundle, **{"Idempotency-Key": "one"})
    second = bring_in(elsewhere, bundle, **{"Idempotency-Key": "one"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotency-Replayed"] == "true"
    other = bring_in(elsewhere, bundle[:-1], **{"Idempotency-Key": "one"})
    assert other.json()["code"] == "idempotency_key_reused"


def test_what_was_refused_or_is_deleted_leaves_no_bytes(
    bundle: bytes, elsewhere: Asking, other: Database
) -> None:
    with other.read() as session:
        before = blobs_there(session)
    bring_in(elsewhere, packed(changed_config(bundle, weights_sha256="0" * 64)))
    with other.read() as session:
        assert blobs_there(session) == before
    bring_in(elsewhere, bundle)
    assert elsewhere.request("DELETE", "/v1/models/brought").status_code == 204
    blobs.collect(other)
    with other.read() as session:
        assert blobs_there(session) == before


def blobs_there(session: Any) -> int:
    return session.query(blobs.BlobRow).count()


@pytest.mark.parametrize(("case", "make", "pointer"), REFUSED, ids=[each[0] for each in REFUSED])
def test_what_is_no_model_is_refused_and_told_why(
    bundle: bytes, other: Database, case: str, make: Callable[[bytes], bytes], pointer: str
) -> None:
    asking = Asking(other, SMALL)
    answer = bring_in(asking, make(bundle))
    assert answer.status_code == 422, answer.text
    errors = answer.json()["errors"]
    assert pointer in {error["pointer"] for error in errors}, errors
    assert asking.get("/v1/models").json()["data"] == []


def asked_as(task: str, bundle: bytes, **preparation: Any) -> bytes:
    """Pack with another task and changes of the preparation."""
    return packed(changed_config(packed(changed_preparation(bundle, **preparation)), task=task))


@pytest.mark.parametrize(
    ("task", "part", "times", "told"),
    [
        ("next_word", [], 1_100_000, "1,100,000 lists and objects"),
        ("next_word", 0, 5_000_000, "5,000,000 commas and brackets"),
        ("regression", [], 100_000, "100,000 lists and objects"),
        ("regression", 0, 5_000_000, "5,000,000 commas and brackets"),
    ],
)
def test_a_preparation_of_too_many_parts_is_not_even_parsed(
    bundle: bytes, elsewhere: Asking, task: str, part: Any, times: int, told: str
) -> None:
    answer = bring_in(elsewhere, asked_as(task, bundle, vocabulary=[part] * times))
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["detail"]) == (PREPARATION, f"has more than {told}")


def test_one_preparation_is_read_at_a_time_and_who_waits_too_long_comes_again(
    bundle: bytes, elsewhere: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "PATIENCE_SECONDS", 0.01)
    with checking._preparing:  # pyright: ignore[reportPrivateUsage]
        answer = bring_in(elsewhere, bundle)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_busy")
    assert "Retry-After" in answer.headers
    assert bring_in(elsewhere, bundle).status_code == 201


def test_nobody_waits_while_the_weights_of_another_are_copied(
    bundle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []
    copy = Unpacked.copy

    def watched(files: Unpacked, name: str, into: Any) -> str:
        waits.append(checking._preparing.locked())  # pyright: ignore[reportPrivateUsage]
        return copy(files, name, into)

    monkeypatch.setattr(Unpacked, "copy", watched)
    with checked(BytesIO(bundle), SMALL, max_bytes=1 << 20):
        assert waits == [False]


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"val_loss": "NaN"}},
        {"metrics": {"val_loss": "-Infinity"}},
        {"metrics": {"val_loss": "1e999"}},
        {"evaluation": calibrated_at("NaN")},  # pyright: ignore[reportArgumentType]
        {"origin": {"id": "a", "trainyard": "1", "version": "1" + "0" * 30}},
    ],
)
def test_numbers_that_cannot_be_stored_are_refused_in_quotes_too(
    bundle: bytes, elsewhere: Asking, changes: Any
) -> None:
    answer = bring_in(elsewhere, packed(changed_config(bundle, **changes)))
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [CONFIG]


def test_no_column_is_standardised_by_what_is_no_number(bundle: bytes, elsewhere: Asking) -> None:
    wind = {"kind": "number", "column": "wind", "mean": "NaN", "deviation": 1.0, "low": 0.0}
    features = [{**wind, "high": 2.0, "missing": False}]
    answer = bring_in(elsewhere, asked_as("regression", bundle, features=features))
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert f"{PREPARATION}/features/0/mean" in pointers


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=strategies.data())
def test_no_change_of_a_bundle_is_a_bug(bundle: bytes, data: strategies.DataObject) -> None:
    name = data.draw(strategies.sampled_from(["config.json", "preparation.json"]))
    files = files_of(bundle)
    changed: dict[str, Any] = json.loads(files[name])
    place, known = changed, [*changed]
    while isinstance(place[key := data.draw(strategies.sampled_from(known))], dict):
        place, known = place[key], [*place[key]] or ["none"]
        place.setdefault("none", 0)
    place[key] = data.draw(ODD)
    files[name] = json.dumps(changed).encode()
    if name == "preparation.json":
        files = changed_config(packed(files), preparation_sha256=sha256_of(files[name]))

    with suppress(Invalid), checked(BytesIO(packed(files)), SMALL, max_bytes=1 << 20) as taken:
        SMALL.restore(taken.config.task, taken.preparation)


@given(place=strategies.floats(0, 1, exclude_max=True), byte=strategies.integers(0, 255))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_damage_of_a_zip_is_a_bug(bundle: bytes, place: float, byte: int) -> None:
    content = bytearray(packed(files_of(bundle), method=zipfile.ZIP_DEFLATED))
    content[int(place * len(content))] = byte
    with suppress(Problem), checked(BytesIO(content), SMALL, max_bytes=1 << 20):
        pass


def test_the_program_of_a_bundle_is_never_run(
    bundle: bytes, elsewhere: Asking, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    program = f"open({str(witness)!r}, 'w').close()".encode()
    files = {**files_of(bundle), "model.py": program, "__init__.py": program}
    assert bring_in(elsewhere, packed(files)).status_code == 201
    assert elsewhere.request(
        "POST", "/v1/models/brought/predict", json={"inputs": ["I"]}
    ).is_success
    assert not witness.exists()


def test_a_folder_that_somebody_packed_again_is_taken(bundle: bytes, elsewhere: Asking) -> None:
    files = {f"cook-1/{name}": content for name, content in files_of(bundle).items()}
    noise = {"__MACOSX/cook-1/._model.py": b"x", "cook-1/.DS_Store": b"x"}
    assert bring_in(elsewhere, packed({**files, **noise})).status_code == 201


def test_an_import_on_either_database_is_found_by_its_name(
    bundle: bytes, database: Database, catalogue: Catalogue
) -> None:
    asking = Asking(database, catalogue)
    assert bring_in(asking, bundle).status_code == 201
    assert bring_in(asking, bundle).status_code == 200
    answer = asking.request("POST", "/v1/models/brought/predict", json={"inputs": ["I"]})
    assert answer.json()["predictions"][0]["candidates"]
