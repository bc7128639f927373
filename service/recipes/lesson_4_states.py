"""The state-space model that completes "I like eating …", from four first states."""

from typing import Any

from service.domain.recipes import Expected, Recipe

_MODEL = "x_t = σ(W_xx x_{t-1} + W_xu u_t + b_x), y_t = W_yx x_t + b_y, with x_0"
_ASK = 'Ask it: `{"inputs": ["I like eating"]}`.'


def _from(name: str, initial_state: str) -> dict[str, Any]:
    return {
        "model": name,
        "dataset": "eating",
        "architecture": {"type": "rnn", "hidden_size": 64, "initial_state": initial_state},
        "training": {"seed": 0},
    }


_SAME = (
    "Trained to the end, all four come to the same perplexity, for the sentences are long enough "
    "to forget where they began; watch how they differ in the first steps of `train_loss`."
)

_ABOUT = {
    "zeros": f"{_MODEL} = 0: before the first word, the model remembers nothing. {_SAME} {_ASK}",
    "ones": f"{_MODEL} = 1: every tanh begins near its flat end. {_SAME} {_ASK}",
    "normal": f"{_MODEL} drawn once at random, and kept in every checkpoint. {_SAME} {_ASK}",
    "learned": f"{_MODEL} trained like the weights. {_SAME} {_ASK}",
}

_MEASURED = {"zeros": 4.0090, "ones": 3.9913, "normal": 3.9915, "learned": 4.0050}

RECIPES = [
    Recipe(
        name=f"next-word-{kind}",
        title=f"Next word, the first state {how}",
        about=_ABOUT[kind],
        request=_from(f"next-word-{kind}", kind),
        expected=Expected(metrics={"val_perplexity": _MEASURED[kind]}, tolerance=0.03),
        compare=[f"next-word-{other}" for other in _ABOUT if other != kind],
    )
    for kind, how in (
        ("zeros", "zero"),
        ("ones", "one"),
        ("normal", "at random"),
        ("learned", "learned"),
    )
]
