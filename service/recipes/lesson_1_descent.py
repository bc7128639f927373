"""Gradient descent: on all data, on batches, and with momentum."""

from typing import Any

from service.domain.recipes import Expected, Recipe

_STEPS = """All three take the same network (64 pixels → 32 → 10), the same first weights and the
same number of passes over the 1,797 digits."""


def _digits(name: str, optimizer: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": name,
        "dataset": "digits",
        "architecture": {"type": "mlp", "hidden_sizes": [32], "activation": "tanh", "dropout": 0.0},
        "optimizer": optimizer,
        "schedule": "constant",
        "training": {"epochs": 15, "batch_size": 32, "seed": 0},
    }


RECIPES = [
    Recipe(
        name="descent-gd",
        title="Gradient descent on all data",
        about=f"{_STEPS} Plain gradient descent looks at every example before each step: 15 passes "
        "are 15 steps, each in the best direction, and far too few. The doctor says "
        "`still_improving`; look at `train_loss`.",
        request=_digits("descent-gd", {"type": "gd", "lr": 0.5}),
        expected=Expected(
            metrics={"val_accuracy": 0.8486}, tolerance=0.03, findings=["still_improving"]
        ),
        compare=["descent-sgd", "descent-momentum"],
    ),
    Recipe(
        name="descent-sgd",
        title="Stochastic gradient descent",
        about=f"{_STEPS} A step after every 32 examples goes a less exact way, but 15 passes are "
        "765 steps. They could be more: the doctor says `still_improving` here, too.",
        request=_digits("descent-sgd", {"type": "sgd", "lr": 0.02, "momentum": 0.0}),
        expected=Expected(
            metrics={"val_accuracy": 0.9297}, tolerance=0.03, findings=["still_improving"]
        ),
        compare=["descent-gd", "descent-momentum"],
    ),
    Recipe(
        name="descent-momentum",
        title="Momentum",
        about=f"{_STEPS} With nine tenths of the last step kept, the same learning rate comes "
        "further: what points the same way again and again adds up.",
        request=_digits("descent-momentum", {"type": "sgd", "lr": 0.02, "momentum": 0.9}),
        expected=Expected(metrics={"val_accuracy": 0.9838}, tolerance=0.02),
        compare=["descent-gd", "descent-sgd"],
    ),
]
