"""Gated recurrent unit (Cho et al. 2014).

    r, z = sigmoid(W u_t + b + V h_{t-1} + c), each with weights of its own
    n    = tanh(W u_t + b + r · (V h_{t-1} + c))
    h_t  = (1 - z) · n + z · h_{t-1}

As in torch and cuDNN, r acts after the product with V, and the gate z keeps what was. In the state
dict W, V, b and c lie one below the other, in the order r, z, n, under torch's own names:
`layers.0.gru.weight_ih_l0` (3 × hidden, input), `weight_hh_l0` (3 × hidden, hidden), `bias_ih_l0`,
`bias_hh_l0`. The rest is as in every recurrent network: `embedding.weight` (vocabulary, embedding),
`W_yx` (vocabulary, hidden), `b_y`; of whole texts (classes, hidden).
"""

from typing import Literal

from torch import Tensor, nn

from service.architectures import recurrent
from service.architectures.base import Architecture, Recipe
from service.architectures.recurrent import GatedConfig, Recurrent, RecurrentClassifier
from service.domain.components import Component
from service.domain.shapes import TextClassShape, TextShape


class GruConfig(GatedConfig, frozen=True):
    """Options of the GRU."""

    type: Literal["gru"] = "gru"


class GruLayer(nn.Module):
    """One layer; its state (1, batch, hidden) is h."""

    def __init__(self, inputs: int, hidden_size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden_size)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (time, batch, input), state → h_t (time, batch, hidden), state after the last."""
        return self.gru(inputs, state.contiguous())


def build(config: GruConfig, shape: TextShape | TextClassShape) -> Recurrent | RecurrentClassifier:
    """Build the network for a vocabulary, and for classes if there are any."""
    return recurrent.build_gated(config, GruLayer, shape)


ARCHITECTURE = Architecture(
    config=GruConfig,
    build=build,
    fits=("text", "text_classes"),
    # Measured, best of the epochs, seed 0, one thread. eating, 5 epochs: validation loss 1.392 with
    # lr 0.003 and with 0.01, 1.399 with 0.03. python-docs, 5 epochs, dropout 0.3: perplexity 195
    # with 0.01.
    recipe=Recipe(
        optimizer=Component.model_validate({"type": "adamw", "lr": 0.01, "weight_decay": 0.01}),
        schedule=Component.model_validate({"type": "one_cycle"}),
        epochs=5,
        batch_size=32,
        gradient_clip=1.0,
        rates={
            "adadelta": 10.0,
            "adagrad": 0.3,
            "adam": 0.03,
            "gd": 3.0,
            "muon": 0.03,
            "rmsprop": 0.03,
            "sgd": 1.0,
        },
    ),
    recipes={
        # sms-spam, 4 epochs: loss 0.092 and F1 0.919 with 0.003.
        "text_classes": Recipe(
            optimizer=Component.model_validate(
                {"type": "adamw", "lr": 0.003, "weight_decay": 0.01}
            ),
            schedule=Component.model_validate({"type": "one_cycle"}),
            epochs=4,
            batch_size=32,
            gradient_clip=1.0,
            rates={
                "adadelta": 3.0,
                "adagrad": 0.1,
                "adam": 0.03,
                "gd": 1.0,
                "muon": 0.1,
                "rmsprop": 0.001,
                "sgd": 0.3,
            },
        )
    },
    summary="Gated recurrent unit: one gate mixes what was with what comes, one picks of it.",
    example={
        "model": "eating-gru",
        "dataset": "eating",
        "architecture": {"type": "gru", "hidden_size": 64, "embedding_size": 64},
    },
)
