"""The short way of a prediction: it takes what the ordinary way takes, and answers the same."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.api.direct import plain_inputs
from service.domain import validation
from service.domain.predictions import PredictRequest
from service.domain.problems import Problem

NUMBERS = st.integers() | st.floats()
TEXTS = st.text(st.characters(codec=None), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries(
    {}, optional={"inputs": st.lists(VALUES, max_size=3) | VALUES, "top_k": NUMBERS}
)


def ordinary(raw: bytes) -> PredictRequest | None:
    try:
        return validation.parse(PredictRequest, raw)
    except Problem:
        return None


@given(BODIES.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40))
@example(b'{"inputs": [1e999]}')
@example(b'{"inputs": ["\\ud800"]}')
@example(b'{"inputs": []}')
@example(b'{"inputs": [NaN]}')
@example(b'{"inputs": ["a"], "inputs": ["b"]}')
def test_what_it_takes_the_ordinary_way_reads_as_the_same(raw: bytes) -> None:
    inputs = plain_inputs(raw)

    if inputs is not None:
        assert ordinary(raw) == PredictRequest(inputs=inputs)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "body", [{"inputs": ["I like"]}, {"inputs": [[[0, 255], [1, 2]], {"a": 1}]}]
)
def test_it_takes_what_is_asked_most(body: dict[str, Any]) -> None:
    assert plain_inputs(json.dumps(body).encode()) == body["inputs"]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": ["I like"], "top_k": 3},
        {"inputs": ["I like"] * 1025},
        {"inputs": [{"b64": "iVBORw0KGgo="}]},
        {"inputs": "I like"},
        ["I like"],
    ],
    ids=["an option", "too many", "a file", "no list", "no object"],
)
def test_it_leaves_everything_else(body: Any) -> None:
    assert plain_inputs(json.dumps(body).encode()) is None
