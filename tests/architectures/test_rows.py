"""Rows of a table through the perceptron: numbers as they are, categories as vectors."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

import pytest
import torch

from service.architectures.mlp import Features, MlpConfig, build, category_width
from service.domain.shapes import TableShape


def test_a_row_is_its_numbers_and_the_vectors_of_its_categories() -> None:
    features = Features(2, (3, 5))

    seen = features(torch.tensor([[0.5, -1.0, 2.0, 4.0]]))

    vectors = [
        embedding.get_parameter("weight")[index]
        for embedding, index in zip(features.embeddings, (2, 4), strict=True)
    ]
    torch.testing.assert_close(seen[0], torch.cat([torch.tensor([0.5, -1.0]), *vectors]))


@pytest.mark.parametrize(("size", "width"), [(1, 1), (2, 1), (3, 2), (31, 16), (1000, 16)])
def test_a_vector_is_half_as_long_as_there_are_categories_up_to_sixteen(
    size: int, width: int
) -> None:
    assert category_width(size) == width


@pytest.mark.parametrize("categories", [(), (3,), (2, 40)])
def test_a_model_of_rows_has_as_many_outputs_as_the_shape_says(categories: tuple[int, ...]) -> None:
    shape = TableShape(numbers=2, categories=categories, outputs=4)

    model = build(MlpConfig(hidden_sizes=(6,), batch_norm=True), shape)

    assert model(torch.ones(8, 2 + len(categories))).shape == (8, 4)
