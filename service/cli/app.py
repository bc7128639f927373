"""All commands in one place, and what the process's exit code means.

0: it worked; 1: the service refused or is not there, or the job did not succeed; 2: the command
line itself is wrong.
"""

import sys

from service.cli import (
    datasets,
    generate,
    jobs,
    keys,
    models,
    predict,
    recipes,
    refusals,
    serve,
    train,
    watch,
)
from service.cli.demo import command as demo
from service.client import TrainyardError

app = serve.new_app()
app.add_typer(keys.app, name="keys")
app.add_typer(recipes.app, name="recipes")
app.command("train")(train.train)
app.add_typer(jobs.app, name="jobs")
app.command("watch")(watch.watch)
app.command("predict")(predict.predict)
app.command("generate")(generate.generate)
app.add_typer(datasets.app, name="datasets")
app.add_typer(models.app, name="models")
app.command("demo")(demo.demo)


def main() -> None:
    """Run the command that `sys.argv` names. Problems are said in plain words, without a trace."""
    try:
        app()
    except TrainyardError as error:
        refusals.print_problem(error)
        sys.exit(1)
    except BrokenPipeError:  # `trainyard jobs | head`: nobody reads on, which is no error
        sys.stderr.close()
        sys.exit(0)
