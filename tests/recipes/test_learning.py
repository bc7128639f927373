"""Recipes come to what they say, through the real loop; those that take long begin well."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from service.catalogue import Catalogue
from service.domain.recipes import Expected, Recipe
from service.recipes import recipes
from service.training.failures import TrainingFailed
from service.training.loop import train
from tests.requests.small import a_built_in
from tests.training.parts import CPU, MemoryRecorder

pytestmark = pytest.mark.usefixtures("one_thread")

CATALOGUE = Catalogue.installed()
LONG = ("clothes", "play-lstm", "play-transformer", "korean-next-word")
LIKE_ANOTHER = ("next-word-ones", "next-word-normal", "next-word-learned", "korean-topics")
IN_FULL = [
    pytest.param(name, marks=pytest.mark.slow if name in (*LONG, *LIKE_ANOTHER) else ())
    for name in recipes()
]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", IN_FULL)
def test_a_recipe_comes_to_what_it_says(name: str) -> None:
    recipe = recipes()[name]

    recorder, failure = _trained(recipe)

    assert (failure and failure.error.code) == recipe.expected.error
    assert recipe.expected.agrees({} if failure else _best(recorder)), _best(recorder)
    found = [*recorder.found(), *(failure.findings if failure else ())]
    assert {each.code for each in found} == set(recipe.expected.findings)


@pytest.mark.slow  # two threads wait for each other where other work runs
def test_a_recipe_comes_to_it_with_other_threads_too() -> None:
    torch.set_num_threads(2)
    recipe = recipes()["descent-momentum"]

    recorder, _ = _trained(recipe)

    assert recipe.expected.agrees(_best(recorder))


@pytest.mark.parametrize(
    ("name", "steps", "bound"),
    [
        ("clothes", 30, 1.0),  # ten classes: 2.3 where nothing is learned
        ("play-lstm", 40, 2.6),  # 3.35 where characters are told by how often they come
        ("play-transformer", 20, 3.0),
        ("korean-next-word", 60, 6.45),  # 6.54 where words are
    ],
)
def test_a_recipe_that_takes_long_begins_well(name: str, steps: int, bound: float) -> None:
    recipe = recipes()[name]

    recorder, _ = _trained(recipe, training={"max_steps": steps}, validation_fraction=0.02)

    assert _best(recorder)["val_loss"] < bound


def test_what_is_missing_or_farther_than_the_tolerance_does_not_agree() -> None:
    expected = Expected(metrics={"val_loss": 2.0}, tolerance=0.1)

    assert expected.agrees({"val_loss": 1.9})
    assert not expected.agrees({"val_loss": 2.3})
    assert not expected.agrees({"val_loss": None})
    assert not expected.agrees({})


def _trained(
    recipe: Recipe, training: Mapping[str, Any] | None = None, **options: Any
) -> tuple[MemoryRecorder, TrainingFailed | None]:
    """Train what a recipe asks for; return what was recorded, and why it failed if it did."""
    recorder = MemoryRecorder()
    chosen = recipe.request["dataset"]
    dataset: dict[str, Any] = dict(chosen) if isinstance(chosen, Mapping) else {"name": chosen}
    small = a_built_in(dataset["name"])
    body: dict[str, Any] = {**recipe.request, "dataset": {**dataset, **options}}
    body["training"] = training or body.get("training", {})
    spec = CATALOGUE.resolve(CATALOGUE.job_request.model_validate(body), small.facts)
    try:
        train(CATALOGUE.build(spec, small.data), spec, recorder, device=CPU)
    except TrainingFailed as failure:
        return recorder, failure
    return recorder, None


def _best(recorder: MemoryRecorder) -> Mapping[str, float]:
    """Return the metrics of the model that would be served."""
    return next(draft.metrics for draft in reversed(recorder.drafts) if "best" in draft.kinds)
