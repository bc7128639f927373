"""`/v1/recipes`: worked examples, to be started as they are."""

from typing import Annotated

from fastapi import APIRouter, Path

from service.api.problems import problem_responses
from service.domain.problems import NotFound, known_names
from service.domain.recipes import Recipe, RecipeList
from service.domain.text import ShortText
from service.recipes import recipes

router = APIRouter(prefix="/v1/recipes", tags=["components"])


class RecipeNotFound(NotFound):
    """No recipe has this name (404)."""

    code = "recipe_not_found"
    title = "No such recipe"


@router.get("")
def list_recipes() -> RecipeList:
    """List worked examples with what came of them, in the order of a course."""
    return RecipeList(data=[*recipes().values()])


@router.get("/{recipe}", responses=problem_responses(404))
def get_recipe(
    recipe: Annotated[ShortText, Path(description="The recipe's name.", examples=["clothes"])],
) -> Recipe:
    """Read one recipe; its `request` is a body of `POST /v1/jobs`."""
    known = recipes()
    if recipe not in known:
        raise RecipeNotFound(
            f"There is no recipe with this name; {known_names(known, near=recipe)}."
        )
    return known[recipe]
