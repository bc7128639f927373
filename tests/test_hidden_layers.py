"""Which parameters are those of hidden layers: an optimizer may treat them in their own way."""

from typing import Any

import pytest

from service.catalogue import building
from service.catalogue.discovery import discover
from service.domain.components import Component
from service.domain.shapes import ImageShape, Shape, TableShape, TextClassShape, TextShape
from tests.training.parts import a_spec, build, image_data

INSTALLED = discover()
IMAGES = ImageShape(channels=1, height=8, width=8, classes=4)
ROWS = TableShape(numbers=3, categories=(40, 5), outputs=1)
CATEGORIES = TableShape(numbers=0, categories=(40,), outputs=1)


def hidden(shape: Shape, **architecture: Any) -> set[str]:
    """Name the hidden matrices of a model."""
    component = Component.model_validate(architecture)
    model = building.build_model(INSTALLED, component, shape)
    names = building.hidden_parameters(INSTALLED, component, shape)
    return {name for name in names if model.get_parameter(name).ndim >= 2}


@pytest.mark.parametrize("shape", [IMAGES, ROWS, CATEGORIES])
def test_the_first_layer_and_the_head_of_a_perceptron_are_not_hidden(shape: Shape) -> None:
    assert hidden(shape, type="mlp", hidden_sizes=[16, 12, 8]) == {"3.weight", "5.weight"}


def test_the_embedding_of_a_bag_of_words_is_not_hidden() -> None:
    shape = TextClassShape(vocabulary_size=30, classes=3)

    assert hidden(shape, type="mlp", hidden_sizes=[16, 12]) == {"1.weight", "3.weight"}


def test_the_convolutions_after_the_stem_are_hidden() -> None:
    blocks = [{"channels": 4, "convolutions": 2}]

    names = hidden(IMAGES, type="cnn", stem_channels=4, blocks=blocks)

    assert names == {"blocks.0.0.0.weight", "blocks.0.1.0.weight"}


def test_the_matrices_from_state_to_state_are_hidden() -> None:
    names = hidden(TextShape(vocabulary_size=30), type="rnn", hidden_size=8, layers=2)

    assert {"layers.0.W_xx", "layers.1.W_xx", "layers.1.W_xu"} <= names
    assert not {"layers.0.W_xu", "W_yx"} & names


def test_a_job_with_muon_gives_it_the_hidden_matrices_and_two_learning_rates() -> None:
    data = image_data()
    mlp = {"type": "mlp", "hidden_sizes": [16, 12]}
    muon = {"type": "muon", "lr": 0.03, "adamw_lr": 0.004, "weight_decay": 0.1}

    built = build(a_spec(data, mlp, optimizer=muon), data)

    groups = built.optimizer.param_groups
    assert [[tuple(each.shape) for each in group["params"]] for group in groups] == [
        [(12, 16)],
        [(16, 64), (4, 12)],
        [(16,), (12,), (4,)],
    ]
    assert [group["lr"] for group in groups] == [0.03, 0.004, 0.004]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.1, 0.0]
