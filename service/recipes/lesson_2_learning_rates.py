"""Learning rates: too large, too small, and what else keeps a network where it began."""

from typing import Any

from service.domain.recipes import Expected, Recipe


def _solar(name: str, lr: float) -> dict[str, Any]:
    return {
        "model": name,
        "dataset": "solar",
        "architecture": {"type": "mlp", "hidden_sizes": [32], "activation": "relu", "dropout": 0.0},
        "optimizer": {"type": "sgd", "lr": lr, "momentum": 0.0},
        "schedule": "constant",
        "training": {"epochs": 5, "batch_size": 32, "gradient_clip": None, "seed": 0},
    }


_STUCK: dict[str, Any] = {
    "model": "stuck",
    "dataset": "digits",
    "architecture": {"type": "mlp", "hidden_sizes": [32] * 8, "activation": "sigmoid"},
    "optimizer": {"type": "sgd", "lr": 0.1, "momentum": 0.0},
    "schedule": "constant",
    "training": {"epochs": 10, "batch_size": 32, "seed": 0},
}

RECIPES = [
    Recipe(
        name="lr-diverges",
        title="A learning rate that diverges",
        about="From the weather to the power of the sun. Each step jumps over the valley and lands "
        "higher than it began, until the loss is no number. The job ends with `loss_not_finite`, "
        "the step, and a learning rate to try, and the doctor says `lr_too_large`. It comes so "
        "soon that there is no checkpoint to fork: begin anew.",
        request=_solar("lr-diverges", 3.0),
        expected=Expected(status="failed", error="loss_not_finite", findings=["lr_too_large"]),
        compare=["lr-too-small", "lr-right"],
    ),
    Recipe(
        name="lr-too-small",
        title="A learning rate that crawls",
        about="The loss falls all the time, but after five passes most of it is left. The doctor "
        "says `lr_too_small`, for a step changes the weights by two parts in 100,000, and with "
        'which patch to fork; `{"patch": {"optimizer": {"lr": 0.05}, "training": {"epochs": 10}}}` '
        "goes even faster. See it go on from there.",
        request=_solar("lr-too-small", 0.00005),
        expected=Expected(metrics={"val_r2": 0.0414}, tolerance=0.2, findings=["lr_too_small"]),
        compare=["lr-diverges", "lr-right"],
    ),
    Recipe(
        name="lr-right",
        title="A learning rate that suits",
        about="The same network between the two: the loss falls at once and goes on falling.",
        request=_solar("lr-right", 0.05),
        expected=Expected(metrics={"val_r2": 0.8297}, tolerance=0.1),
        compare=["lr-diverges", "lr-too-small"],
    ),
    Recipe(
        name="stuck",
        title="Descent that stays where it is",
        about="Digits, and eight layers of sigmoids: each multiplies the gradient by at most a "
        "quarter on its way back, so that little of it arrives at the first ones. The network says "
        "the same about every digit and stays on that plateau; more passes do not help. The doctor "
        "says `vanishing_gradients` and `stuck_at_baseline`; the fork that it names, with AdamW, "
        "leaves the plateau. Or begin anew with `architecture.activation` set to `relu`.",
        request=_STUCK,
        expected=Expected(
            metrics={"val_accuracy": 0.1351},
            tolerance=0.2,
            findings=["vanishing_gradients", "stuck_at_baseline"],
        ),
        compare=["descent-sgd"],
    ),
]
