"""Wrong input becomes problems: one error per field, honest pointers, plain words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, JsonValue

from service.domain.base import Incoming
from service.domain.datasets import DatasetUploadSpec
from service.domain.predictions import PredictRequest
from service.domain.problems import Invalid, Malformed, Problem
from service.domain.requests import JobRequest, TrainingOptions
from service.domain.validation import MalformedJson, parse, strip_tags


class Upload(Incoming):
    """A union whose tags are also names of fields."""

    spec: DatasetUploadSpec
    count: int = Field(default=1, ge=1, le=9)


def errors_of(model: type[Incoming], body: JsonValue | bytes) -> dict[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Invalid) as caught:
        parse(model, raw)
    return {error.pointer: error.detail for error in caught.value.errors}


@pytest.mark.parametrize(
    ("options", "pointer", "detail"),
    [
        ({"epochs": "3"}, "/epochs", "must be a whole number, written without quotes"),
        ({"epochs": True}, "/epochs", "must be a whole number; true and false are none"),
        ({"epochs": 1.5}, "/epochs", "must be a whole number"),
        ({"epochs": 0}, "/epochs", "must be at least 1"),
        ({"seed": None}, "/seed", "must be a whole number, not null"),
        ({"gradient_clip": 0}, "/gradient_clip", "must be greater than 0"),
        ({"gradient_clip": "x"}, "/gradient_clip", "must be a number, written without quotes"),
        ({"early_stopping": 3}, "/early_stopping", "must be an object"),
        ({"epochs": 1, "max_steps": 1}, "", "give either epochs or max_steps, not both"),
    ],
)
def test_a_wrong_field_is_told_what_it_needs(options: JsonValue, pointer: str, detail: str) -> None:
    assert errors_of(TrainingOptions, options) == {pointer: detail}


def test_an_unknown_field_gets_the_nearest_known_name() -> None:
    errors = errors_of(TrainingOptions, b'{"checkpoint": {"keep_bst": 3}}')

    assert "did you mean 'keep_best'?" in errors["/checkpoint/keep_bst"]


def test_a_wrong_choice_gets_the_nearest_one() -> None:
    errors = errors_of(TrainingOptions, {"device": "cud"})

    assert errors["/device"].endswith("did you mean 'cuda'? known: auto, cpu, cuda, mps")


def test_all_wrong_fields_are_named_at_once() -> None:
    errors = errors_of(JobRequest, b'{"priority": 101, "dataset": {"name": "a b"}}')

    assert set(errors) == {"/priority", "/dataset/name", "/architecture"}
    assert errors["/architecture"] == "is required"


def test_tags_of_unions_are_not_in_pointers_even_when_a_field_has_their_name() -> None:
    spec = {"type": "text", "name": "job_x", "text": "a", "sequences": "line"}

    assert set(errors_of(Upload, json.dumps({"spec": spec}).encode())) == {
        "/spec/name",
        "/spec/sequences",
        "/spec/text",
    }


KNOWN = "idx, image_folder, labelled_text, table, text"


def test_an_unknown_type_lists_the_known_ones() -> None:
    errors = errors_of(Upload, {"spec": {"type": "txt"}})

    assert errors == {"/spec/type": f"is no known type; did you mean 'text'? known: {KNOWN}"}


def test_a_missing_type_lists_the_known_ones() -> None:
    assert errors_of(Upload, {"spec": {}}) == {"/spec/type": f"is required; known: {KNOWN}"}


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_numbers_that_are_not_finite_are_pointed_at_wherever_they_stand(number: bytes) -> None:
    errors = errors_of(PredictRequest, b'{"inputs": [[1, ' + number + b"]]}")

    assert errors == {"/inputs/0/1": "must be a finite number, not NaN or infinity"}


def test_a_lone_surrogate_is_pointed_at() -> None:
    assert set(errors_of(PredictRequest, b'{"inputs": ["a", "\\ud800"]}')) == {"/inputs/1"}


def test_a_nul_is_pointed_at() -> None:
    body: JsonValue = {"dataset": {"name": "x"}, "architecture": {"type": "r"}, "client_id": "\0"}

    assert "NUL" in errors_of(JobRequest, body)["/client_id"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b'{"a": 1,}', b"[" * 5000, b'{"priority": ' + b"1" * 6000 + b"}"]
)
def test_what_is_no_json_is_malformed_with_its_position(raw: bytes) -> None:
    with pytest.raises(MalformedJson) as caught:
        parse(PredictRequest, raw)

    assert caught.value.code == "malformed_json"
    assert caught.value.extensions["line"] == 1


def test_the_input_is_not_repeated() -> None:
    errors = errors_of(JobRequest, {"priority": "hunter2", "model": "hunter2 "})

    assert not any("hunter2" in detail for detail in errors.values())


def test_the_location_is_kept_where_the_body_is_unknown() -> None:
    assert strip_tags(("a", 0), None) == ("a", 0)


def problem_of(model: type[Incoming], raw: bytes) -> Problem | None:
    try:
        parse(model, raw)
    except (Invalid, Malformed) as problem:
        return problem
    return None


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_any_bytes_end_in_a_request_or_a_problem(raw: bytes) -> None:
    problem = problem_of(PredictRequest, raw)

    assert problem is None or problem.detail.encode()


_NAMES = st.sampled_from(["type", "name", "spec", "text", "idx", "classes", "count"])
_JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner),
    max_leaves=12,
)


@given(_JSON)
def test_every_pointer_leads_into_the_body_or_to_what_is_missing(body: JsonValue) -> None:
    problem = problem_of(Upload, json.dumps(body).encode())

    for error in problem.errors if problem else ():
        path = tuple(int(part) if part.isdigit() else part for part in error.pointer.split("/")[1:])
        required = "required" in error.detail
        assert strip_tags(path, body, missing=required) == path


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"inputs": ["a"], ' + b",".join(b'"%d": 1' % n for n in range(20_000)) + b"}", ""),
        (b'{"inputs": ["a"], "top_k": [[' + b"0," * 20_000 + b"0]]}", "/top_k"),
        (b"[" + b"0," * 20_000 + b"0]", ""),
    ],
)
def test_a_crowd_of_members_is_one_error_and_not_thousands(body: bytes, pointer: str) -> None:
    assert errors_of(PredictRequest, body).keys() == {pointer}


def test_inputs_may_hold_as_many_numbers_as_they_like() -> None:
    pixels = b"[" + b"0," * 30_000 + b"0]"
    assert parse(PredictRequest, b'{"inputs": [' + pixels + b"]}").inputs


def test_a_pointer_is_cut_before_it_repeats_megabytes() -> None:
    [pointer] = errors_of(PredictRequest, b'{"inputs": ["a"], "' + b"k" * 100_000 + b'": 1}')
    assert len(pointer) < 400


def test_not_finite_numbers_are_found_however_deep_they_lie() -> None:
    deep = b"[" * 500 + b"NaN" + b"]" * 500
    [detail] = errors_of(PredictRequest, b'{"inputs": ' + deep + b"}").values()
    assert "finite" in detail
