"""The calls that tell what there is: components, recipes, and the service itself."""

import httpx

from service.client import answers
from service.client.answers import JsonObject
from service.client.call import Call, path_of
from service.client.verbs import get
from service.domain.components import ComponentInfo, ComponentList
from service.domain.recipes import Recipe, RecipeList


def architectures() -> Call[list[ComponentInfo]]:
    """List the installed architectures with their options."""
    return _list_components("architectures")


def optimizers() -> Call[list[ComponentInfo]]:
    """List the installed optimizers with their options."""
    return _list_components("optimizers")


def schedules() -> Call[list[ComponentInfo]]:
    """List the installed learning-rate schedules with their options."""
    return _list_components("schedules")


def tasks() -> Call[list[ComponentInfo]]:
    """List the installed tasks with their options."""
    return _list_components("tasks")


def recipes() -> Call[list[Recipe]]:
    """List worked examples: jobs to start as they are, with what came out of them."""

    def read(response: httpx.Response) -> list[Recipe]:
        return answers.read_model(RecipeList, response).data

    return Call(method="GET", path="/v1/recipes", read=read, repeatable=True)


def get_recipe(name: str) -> Call[Recipe]:
    """Read one recipe; its `request` is what `create_job` takes."""
    return get(path_of("recipes", name), Recipe)


def system() -> Call[JsonObject]:
    """Read versions, device, limits, workers and the size of the database."""
    return Call(method="GET", path="/v1/system", read=answers.read_object, repeatable=True)


def ready() -> Call[JsonObject]:
    """Ask whether the service is ready; UnavailableError when it is not."""
    return Call(method="GET", path="/readyz", read=answers.read_object, repeatable=True)


def _list_components(kind: str) -> Call[list[ComponentInfo]]:
    def read(response: httpx.Response) -> list[ComponentInfo]:
        return answers.read_model(ComponentList, response).data

    return Call(method="GET", path=f"/v1/{kind}", read=read, repeatable=True)
