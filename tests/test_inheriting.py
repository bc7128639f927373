"""Weights by name, on every axis that a shape has: never by place."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

from typing import Any

import pytest

from service.catalogue.discovery import discover
from service.catalogue.inheriting import MIXED, Layout, layout, unfit
from service.domain.components import Component
from service.domain.shapes import AnyShape, TableShape, TextClassShape, TextShape

INSTALLED = discover()
MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [5], "embedding_size": 4}
RNN: dict[str, Any] = {"type": "rnn", "hidden_size": 5}


def layout_of(architecture: dict[str, Any], shape: AnyShape) -> Layout:
    return layout(INSTALLED, Component.model_validate(architecture), shape)


def test_words_and_classes_are_told_apart() -> None:
    found = layout_of(RNN, TextClassShape(vocabulary_size=9, classes=9))

    assert found["rnn.layers.0.W_xu"] == (5, "words")
    assert found["rnn.W_yx"] == ("classes", 5)
    assert found["rnn.b_y"] == ("classes",)
    assert found["rnn.layers.0.W_xx"] == (5, 5)


def test_a_text_has_its_words_on_both_ends() -> None:
    found = layout_of(RNN, TextShape(vocabulary_size=9))

    assert (found["layers.0.W_xu"], found["W_yx"]) == ((5, "words"), ("words", 5))


def test_columns_of_numbers_have_a_place_each_where_no_category_is_beside_them() -> None:
    found = layout_of(MLP, TableShape(numbers=3, outputs=2))

    assert found["1.weight"] == (5, "numbers")
    assert found["3.weight"] == ("classes", 5)


def test_columns_that_are_mixed_with_categories_fit_the_same_names_alone() -> None:
    found = layout_of(MLP, TableShape(numbers=3, categories=(4, 6), outputs=2))

    assert found["1.weight"] == (5, MIXED)
    assert found["0.embeddings.1.weight"][0] == MIXED
    assert unfit(found, found, same_names=True) == []
    fresh = ["0.embeddings.0.weight", "0.embeddings.1.weight", "1.weight"]
    assert unfit(found, found, same_names=False) == fresh


@pytest.mark.parametrize("sizes", [(3, 2), (7919, 7920), (7920, 7919)])
def test_a_layout_does_not_depend_on_how_many_names_there_are(sizes: tuple[int, int]) -> None:
    words, classes = sizes

    found = layout_of(MLP, TextClassShape(vocabulary_size=words, classes=classes))

    assert found == layout_of(MLP, TextClassShape(vocabulary_size=9, classes=9))
