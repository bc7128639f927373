"""Wrong options of images and their networks: sizes, colours, shortcuts, how weights begin."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case
from tests.integration.cases.jobs import cnn, job, mlp


def image(pointer: str, /, **options: Any) -> dict[str, Any]:
    """Make a case of options of images."""
    return job(f"/dataset/{pointer}", dataset={"name": "digits", **options}, architecture="mlp")


def plan(architecture: Any = "cnn", **options: Any) -> dict[str, Any]:
    """Make a case of options that are right."""
    body = {"dataset": {"name": "digits", **options}, "architecture": architecture}
    return {"path": "/v1/jobs?validate_only=true", "body": body}


IMAGES = [
    Case("images of no height", **image("height", height=0)),
    Case("images of no width", **image("width", width=0)),
    Case("images of a negative height", **image("height", height=-3)),
    Case("images higher than 512 pixels", **image("height", height=513)),
    Case("images wider than can be", **image("width", width=10**30)),
    Case("a height as text", **image("height", height="14")),
    Case("a height that is a fraction", **image("height", height=14.5)),
    Case("a width that is true", **image("width", width=True)),
    Case("an unknown colour", **image("colour", colour="gray")),
    Case("a colour that is a number", **image("colour", colour=1)),
    Case("a colour that is misspelt", **image("color", color="grey")),
    Case("a height for words", **job("/dataset/height", dataset={"name": "eating", "height": 14})),
    Case("images too small for the pools of the network", **job("/architecture/blocks/2/pool", dataset={"name": "digits", "width": 7}, architecture="cnn")),
    Case("shortcuts that are a number", **cnn("residual", residual=1)),
    Case("shortcuts for a perceptron", **mlp("residual", residual=True)),
    Case("weights that begin in an unknown way", **mlp("initialization", initialization="he")),
    Case("weights that begin with a number", **cnn("initialization", initialization=0)),
]
IMAGES_TAKEN = [
    Case("images of another size and colour", 200, None, **plan(height=16, width=32, colour="rgb")),
    Case("images of the colour that they have", 200, None, **plan(height=None, colour="grey")),
    Case("shortcuts around blocks that pool and change the channels", 200, None, **plan({"type": "cnn", "residual": True, "initialization": "orthogonal"})),
    Case("weights that are all zero", 200, None, **plan({"type": "mlp", "initialization": "zeros"})),
]
