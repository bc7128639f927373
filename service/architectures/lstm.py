"""Long short-term memory (Hochreiter and Schmidhuber 1997), with a forget gate (Gers et al. 2000).

    i, f, o = sigmoid(W u_t + b + V h_{t-1} + c), each with weights of its own
    g       = tanh(W u_t + b + V h_{t-1} + c)
    c_t     = f · c_{t-1} + i · g
    h_t     = o · tanh(c_t)

In the state dict W, V, b and c of the gates lie one below the other, in the order i, f, g, o, under
torch's own names: `layers.0.lstm.weight_ih_l0` (4 × hidden, input), `weight_hh_l0` (4 × hidden,
hidden), `bias_ih_l0`, `bias_hh_l0`. The rest is as in every recurrent network: `embedding.weight`
(vocabulary, embedding), `W_yx` (vocabulary, hidden), `b_y`; of whole texts (classes, hidden).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from service.architectures import recurrent
from service.architectures.base import Architecture, Recipe
from service.architectures.recurrent import GatedConfig, Recurrent, RecurrentClassifier
from service.domain.components import Component
from service.domain.shapes import TextClassShape, TextShape


class LstmConfig(GatedConfig, frozen=True):
    """Options of the LSTM."""

    type: Literal["lstm"] = "lstm"


class LstmLayer(nn.Module):
    """One layer; its state (2, batch, hidden) is h above c."""

    def __init__(self, inputs: int, hidden_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden_size)
        # A gate that begins open lets the first gradients reach the past (Gers et al. 2000).
        nn.init.zeros_(self.lstm.get_parameter("bias_hh_l0"))
        bias = nn.init.zeros_(self.lstm.get_parameter("bias_ih_l0"))
        nn.init.ones_(bias.detach()[hidden_size : 2 * hidden_size])

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (time, batch, input), state → h_t (time, batch, hidden), state after the last."""
        h, c = state.contiguous().chunk(2)
        states, after = self.lstm(inputs, (h, c))
        return states, torch.cat(after).to(state.dtype)


def build(config: LstmConfig, shape: TextShape | TextClassShape) -> Recurrent | RecurrentClassifier:
    """Build the network for a vocabulary, and for classes if there are any."""
    return recurrent.build_gated(config, LstmLayer, shape, parts=2)


ARCHITECTURE = Architecture(
    config=LstmConfig,
    build=build,
    fits=("text", "text_classes"),
    # Measured, best of the epochs, seed 0, one thread. eating, 5 epochs: validation loss 1.384 with
    # lr 0.003, 1.390 with 0.01 (1.384 with dropout 0.3), 1.394 with 0.03. python-docs, 5 epochs:
    # perplexity 174 with 0.01; with dropout 0.3, 179 with 0.01 and 230 with 0.003.
    recipe=Recipe(
        optimizer=Component.model_validate({"type": "adamw", "lr": 0.01, "weight_decay": 0.01}),
        schedule=Component.model_validate({"type": "one_cycle"}),
        epochs=5,
        batch_size=32,
        gradient_clip=1.0,
        rates={
            "adadelta": 30.0,
            "adagrad": 0.3,
            "adam": 0.03,
            "gd": 10.0,
            "muon": 0.03,
            "rmsprop": 0.03,
            "sgd": 1.0,
        },
    ),
    recipes={
        # sms-spam, 4 epochs: loss 0.068 and F1 0.944 with 0.003, 0.079 and 0.941 with 0.01, 0.078
        # and 0.927 with 0.001; from both ends 0.078 and 0.941, in twice the time.
        "text_classes": Recipe(
            optimizer=Component.model_validate(
                {"type": "adamw", "lr": 0.003, "weight_decay": 0.01}
            ),
            schedule=Component.model_validate({"type": "one_cycle"}),
            epochs=4,
            batch_size=32,
            gradient_clip=1.0,
            rates={
                "adadelta": 1.0,
                "adagrad": 0.01,
                "adam": 0.003,
                "gd": 3.0,
                "muon": 0.01,
                "rmsprop": 0.001,
                "sgd": 0.03,
            },
        )
    },
    summary="Long short-term memory: gates decide what a cell keeps, takes in and shows.",
    example={
        "model": "eating-lstm",
        "dataset": "eating",
        "architecture": {"type": "lstm", "hidden_size": 64, "embedding_size": 64},
    },
)
