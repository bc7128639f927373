"""Recipes are jobs that the service takes, and lead to each other by their names."""

from collections.abc import Mapping

import pytest

from service.catalogue import Catalogue
from service.datasets import registry
from service.domain.datasets import DatasetFacts
from service.domain.recipes import Recipe
from service.recipes import recipes
from tests.datasets.files import opened

RECIPES = [*recipes().values()]
CATALOGUE = Catalogue.installed()
FACTS: dict[str, DatasetFacts] = {}


def facts_of(recipe: Recipe) -> DatasetFacts:
    chosen = recipe.request["dataset"]
    name = str(chosen["name"] if isinstance(chosen, Mapping) else chosen)
    if name not in FACTS:
        built_in = registry.built_ins()[name]
        checked = registry.check(built_in.spec, opened(**built_in.files()))
        FACTS[name] = DatasetFacts(id="ds_1", name=name, sha256="00", facts=checked.facts, files=[])
    return FACTS[name]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_is_a_job_that_can_be_planned(recipe: Recipe) -> None:
    request = CATALOGUE.job_request.model_validate(recipe.request)
    facts = facts_of(recipe)
    spec = CATALOGUE.resolve(request, facts)
    assert CATALOGUE.plan(spec, facts).steps > 0
    assert request.model == recipe.name  # so that two never make versions of one model


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_tells_what_it_comes_to_and_what_to_compare(recipe: Recipe) -> None:
    assert set(recipe.compare) <= set(recipes()) - {recipe.name}
    measured = recipe.expected.metrics
    assert bool(measured) == (recipe.expected.status == "succeeded")
    assert bool(recipe.expected.error) == (recipe.expected.status == "failed")
    assert not measured or 0 < recipe.expected.tolerance <= 0.2


def test_recipes_come_in_the_order_of_the_lessons() -> None:
    names = [recipe.name for recipe in RECIPES]
    assert names.index("descent-gd") < names.index("clothes") < names.index("play-lstm")
