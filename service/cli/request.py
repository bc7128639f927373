"""What the command line says about a job becomes the body of `POST /v1/jobs`."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import typer

COMPONENTS = ("architecture", "optimizer", "schedule")
KEY_OF_BARE_STRING = {**dict.fromkeys(COMPONENTS, "type"), "dataset": "name"}


def job_body(
    *,
    file: Path | None,
    recipe: Mapping[str, Any] | None = None,
    top: Mapping[str, Any],
    training: Mapping[str, Any],
    metadata: Sequence[str],
    settings: Sequence[str],
) -> dict[str, Any]:
    """Put together recipe or file, the options and every `--set path=value`: the last one wins."""
    body = deepcopy(dict(recipe or {})) if file is None else _read_file(file)
    given = {key: value for key, value in top.items() if value is not None}
    for key, value in given.items():
        body[key] = {"name": value} if key == "dataset" else value
    for key, value in training.items():
        if value is not None:
            _put(body, ["training", key], value, option=f"--{key.replace('_', '-')}")
    for pair in metadata:
        key, value = _split(pair, option="--metadata")
        _put(body, ["metadata", key], value, option="--metadata")
    for pair in settings:
        path, value = _split(pair, option="--set")
        _put(body, path.split("."), _value(value), option="--set")
    return body


def _read_file(file: Path) -> dict[str, Any]:
    try:
        body: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise typer.BadParameter(message, param_hint="--file") from error
    except ValueError as error:
        message = f"{file} is no JSON: {error}"
        raise typer.BadParameter(message, param_hint="--file") from error
    if not isinstance(body, dict):
        message = f"{file} must hold a JSON object"
        raise typer.BadParameter(message, param_hint="--file")
    return cast("dict[str, Any]", body)  # JSON keys are strings; the service checks the rest


def _split(pair: str, *, option: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not equals or not key:
        message = f"{pair!r} must be key=value"
        raise typer.BadParameter(message, param_hint=option)
    return key, value


def _value(text: str) -> Any:
    """Read JSON (numbers, true, null, lists); anything else is a string."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _put(body: dict[str, Any], path: Sequence[str], value: Any, *, option: str) -> None:
    """Set body[a][b] = value; `"architecture": "rnn"` becomes `{"type": "rnn"}` on the way."""
    place: dict[str, Any] = body
    for depth, key in enumerate(path[:-1]):
        inner: Any = place.setdefault(key, {})
        if isinstance(inner, str) and depth == 0 and key in KEY_OF_BARE_STRING:
            inner = place[key] = {KEY_OF_BARE_STRING[key]: inner}
        if not isinstance(inner, dict):
            message = f"{'.'.join(path)}: {key} has no parts"
            raise typer.BadParameter(message, param_hint=option)
        place = cast("dict[str, Any]", inner)  # JSON keys are strings
    place[path[-1]] = value
