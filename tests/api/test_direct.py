"""The short way of a prediction: it takes what the ordinary way takes, and answers the same."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.api.direct import Plain, plainly
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
    {},
    optional={
        "inputs": st.lists(VALUES, max_size=3) | VALUES,
        "top_k": st.integers(-1, 1002) | VALUES,
        "evidence": NUMBERS,
    },
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
    asked = plainly(raw)

    if asked is not None:
        read = PredictRequest(**asked._asdict())
        assert ordinary(raw) == read


@pytest.mark.parametrize(
    ("body", "top_k"),
    [
        ({"inputs": ["I like"]}, 5),
        ({"inputs": [[[0, 255], [1, 2]], {"a": 1}]}, 5),
        ({"inputs": ["I like"], "top_k": 3}, 3),
        ({"top_k": 1000, "inputs": ["I like"]}, 1000),
    ],
)
def test_it_takes_what_is_asked_most(body: dict[str, Any], top_k: int) -> None:
    assert plainly(json.dumps(body).encode()) == Plain(body["inputs"], top_k)


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": ["I like"], "probabilities": "raw"},
        {"inputs": ["I like"], "top_k": True},
        {"inputs": ["I like"], "top_k": 1001},
        {"inputs": ["I like"] * 1025},
        {"inputs": [{"b64": "iVBORw0KGgo="}]},
        {"inputs": "I like"},
        ["I like"],
    ],
    ids=[
        "an option",
        "no number",
        "too many candidates",
        "too many",
        "a file",
        "no list",
        "no object",
    ],
)
def test_it_leaves_everything_else(body: Any) -> None:
    assert plainly(json.dumps(body).encode()) is None
