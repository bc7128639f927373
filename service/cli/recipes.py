"""`trainyard recipes`: worked examples for `trainyard train --recipe`."""

import json as json_module
from typing import Annotated

import typer
from rich.markup import escape

from service.cli import options, output
from service.cli.clients import connect
from service.cli.options import ListByDefault
from service.domain.recipes import Expected, Recipe, RecipeList

app = typer.Typer(cls=ListByDefault, help="Worked examples, to be trained as they are.")


@app.command("list")
def list_recipes(*, url: options.Url = options.DEFAULT_URL, json: options.Json = False) -> None:
    """List them in the order of a course."""
    with connect(url) as client:
        found = client.recipes()
    if json:
        output.print_json(RecipeList(data=found))
        return
    rows = [[each.name, each.title, outcome(each.expected)] for each in found]
    output.print_table(["recipe", "what it shows", "comes to"], rows)


@app.command("show")
def show_recipe(
    name: Annotated[str, typer.Argument(help="Name of the recipe.")],
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Show one: what to look at, and the job."""
    with connect(url) as client:
        recipe = client.get_recipe(name)
    if json:
        output.print_json(recipe)
        return
    _print(recipe)


def outcome(expected: Expected) -> str:
    """Say what a recipe comes to."""
    return expected.error or output.metrics_text(expected.metrics)


def _print(recipe: Recipe) -> None:
    output.results.print(f"[bold]{escape(recipe.title)}[/]")
    output.results.print(escape(recipe.about))
    body = json_module.dumps(recipe.request, ensure_ascii=False, indent=2)
    output.results.print(escape(body), soft_wrap=True)
    output.print_fields(
        [
            ("comes to", outcome(recipe.expected)),
            ("findings", ", ".join(recipe.expected.findings) or "-"),
            ("compare", ", ".join(recipe.compare) or "-"),
            ("train it", f"trainyard train --recipe {recipe.name}"),
        ]
    )
