"""A bare optimizer learns: its rate suits the architecture."""

from typing import Any

import pytest

from service.catalogue.discovery import discover
from service.training.loop import train
from service.training.validation import evaluate
from tests.requests.small import a_built_in
from tests.training.parts import CATALOGUE, CPU, MemoryRecorder

pytestmark = pytest.mark.usefixtures("one_thread")

INSTALLED = discover()
RECIPES = [
    pytest.param(name, recipe, id=f"{name}-{number}")
    for name, architecture in INSTALLED.architectures.items()
    for number, recipe in enumerate([architecture.recipe, *architecture.recipes.values()])
]
QUICK: dict[str, dict[str, Any]] = {
    "digits": {"type": "mlp", "hidden_sizes": [32]},
    "solar": {"type": "mlp", "hidden_sizes": [32]},
    "eating": {"type": "rnn", "hidden_size": 32},
}


@pytest.mark.parametrize(("name", "recipe"), RECIPES)
def test_every_recipe_has_a_rate_for_every_optimizer(name: str, recipe: Any) -> None:
    own = recipe.optimizer.type
    assert set(recipe.rates) | {own} == set(INSTALLED.optimizers), name
    assert own not in recipe.rates  # what the recipe names itself has the rate that stands there


@pytest.mark.parametrize("optimizer", INSTALLED.optimizers)
@pytest.mark.parametrize("dataset", QUICK)
def test_a_bare_optimizer_learns(dataset: str, optimizer: str) -> None:
    small = a_built_in(dataset)
    full_batch = INSTALLED.optimizers[optimizer].full_batch  # few steps, and each of them long
    body = {
        "dataset": dataset,
        "architecture": QUICK[dataset],
        "optimizer": optimizer,
        "training": {"max_steps": 10 if full_batch else 60},
    }
    spec = CATALOGUE.resolve(CATALOGUE.job_request.model_validate(body), small.facts)
    built = CATALOGUE.build(spec, small.data)
    before = evaluate(built.model, built.task, built.validation, batch_size=64, seed=0)
    recorder = MemoryRecorder()

    train(built, spec, recorder, device=CPU)

    after = recorder.drafts[-1].metrics
    part = 0.9 if full_batch else 0.65
    assert after["val_loss"] < part * before["val_loss"]
