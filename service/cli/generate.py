"""`trainyard generate`: let a model write a text on, and print it while it comes."""

from typing import Annotated

import typer

from service.cli import options, output
from service.cli.clients import connect
from service.domain.generations import Generation


def generate(
    model: Annotated[str, typer.Argument(help="Name, name@3, mdl_…, ckpt_… or job_….")],
    prompt: Annotated[str, typer.Argument(help="What is written on.")] = "",
    *,
    max_tokens: Annotated[int, typer.Option(min=1, max=4096, help="So many tokens at most.")] = 50,
    temperature: Annotated[
        float, typer.Option(min=0, max=100, help="0: always the most probable token.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(min=1, help="Only of the k most probable.")] = None,
    top_p: Annotated[float, typer.Option(help="Only of those that add up to so much.")] = 1.0,
    repetition_penalty: Annotated[
        float, typer.Option(help="Above 1: what was said gets less likely.")
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed, the same text.")] = None,
    stop: Annotated[
        list[str] | None, typer.Option(help="A text to end before; may be repeated.")
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="Go on behind all that this session has read and written.")
    ] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Let a model of texts write on, token by token."""
    request = {
        "prompt": prompt,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
        "stop": stop or [],
        "session": session,
    }
    with connect(url) as client:
        if json:
            output.print_json(client.generate(model, request))
            return
        output.results.print(prompt, end="", markup=False, highlight=False, soft_wrap=True)
        for heard in client.stream_text(model, request):
            if isinstance(heard, Generation):
                output.results.print()
                _print_notes(heard)
            else:
                output.results.print(
                    heard.text, end="", markup=False, highlight=False, soft_wrap=True
                )


def _print_notes(text: Generation) -> None:
    ended = {"length": "max_tokens", "stop": "a stop text", "eos": "the end of the text"}
    why = f"{text.usage.generated_tokens} tokens, until {ended[text.finish_reason]}"
    output.messages.print(f"{why}; seed {text.seed}", markup=False)
    if text.session is not None:
        begun = "begun" if text.session.started else "gone on with"
        said = f"session {begun}, {text.session.tokens} tokens so far"
        output.messages.print(said, markup=False)
    if text.unknown:
        output.messages.print(f"unknown: {', '.join(text.unknown)}", markup=False)
    for warning in text.warnings:
        output.messages.print(warning, markup=False)
