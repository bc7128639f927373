"""Small jobs of all kinds: seconds of training each, with checkpoints in the midst of epochs."""

from collections.abc import Mapping
from typing import Any

Body = Mapping[str, Any]
SEED = 3


def _training(**options: Any) -> dict[str, Any]:
    often = {"every_steps": 40, "keep_periodic": 5}
    return {"seed": SEED, "checkpoint": often, **options}


RECIPES: Mapping[str, Body] = {
    "rnn": {
        "dataset": "eating",
        "architecture": {"type": "rnn", "hidden_size": 24, "layers": 2, "dropout": 0.2},
        "optimizer": {"type": "sgd", "lr": 0.5, "momentum": 0.5},
        "schedule": {"type": "cosine", "warmup_steps": 10},
        "training": _training(epochs=8, gradient_clip=1.0),
    },
    "stream": {
        "dataset": {"name": "eating", "sequences": "stream"},
        "architecture": {"type": "rnn", "hidden_size": 32, "initial_state": "normal"},
        "optimizer": {"type": "adamw", "lr": 0.01},
        "training": _training(epochs=10, batch_size=8),
    },
    "mlp": {
        "dataset": "digits",
        "architecture": {"type": "mlp", "hidden_sizes": [48], "dropout": 0.3, "batch_norm": True},
        "optimizer": {"type": "adam", "lr": 0.002},
        "schedule": {"type": "one_cycle"},
        "training": _training(epochs=16, early_stopping={"metric": "val_loss", "patience": 3}),
    },
    "cnn": {
        "dataset": "digits",
        "architecture": {"type": "cnn", "stem_channels": 8, "blocks": [{"channels": 16}]},
        "optimizer": {"type": "adamw", "lr": 0.003},
        "training": _training(max_steps=150, batch_size=48),
    },
    "gd": {
        "dataset": "digits",
        "architecture": {"type": "mlp", "hidden_sizes": [24]},
        "optimizer": {"type": "gd", "lr": 0.3},
        "training": _training(epochs=90, checkpoint={"every_steps": 15, "keep_periodic": 3}),
    },
}
