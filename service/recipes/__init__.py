"""Worked examples, one file for each lesson; a file offers its `RECIPES`."""

import importlib
import pkgutil
from functools import cache

from service.domain.recipes import Recipe


@cache
def recipes() -> dict[str, Recipe]:
    """Return all recipes by name, in the order of the lessons. Raises ValueError for a name twice.

    The files are numbered: a course begins with gradient descent.
    """
    found: dict[str, Recipe] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        lesson = importlib.import_module(f"{__name__}.{module.name}")
        for recipe in lesson.RECIPES:
            if found.setdefault(recipe.name, recipe) is not recipe:
                message = f"two recipes are called {recipe.name!r}"
                raise ValueError(message)
    return found
