"""What a model sees and says: the shapes that an architecture is built for.

A task knows its shape once its data are prepared; an architecture says which kinds it accepts.
"""

from typing import Annotated, Literal

from pydantic import Field

from service.domain.base import Outgoing


class TextShape(Outgoing):
    """Token indices (batch, time) in, logits (batch, time, vocabulary) out."""

    kind: Literal["text"] = "text"
    vocabulary_size: int


class ImageShape(Outgoing):
    """Pixels (batch, channels, height, width) in, logits (batch, classes) out."""

    kind: Literal["images"] = "images"
    channels: int
    height: int
    width: int
    classes: int


Shape = Annotated[TextShape | ImageShape, Field(discriminator="kind")]
ShapeKind = Literal["text", "images"]
