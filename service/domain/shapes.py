"""What a model sees and says: the shapes that an architecture is built for.

A task knows its shape once its data are prepared; an architecture says which kinds it accepts.
"""

from typing import Annotated, Literal, Self

from pydantic import Field

from service.domain.base import Outgoing


class TextShape(Outgoing):
    """Token indices (batch, time) in, logits (batch, time, vocabulary) out."""

    kind: Literal["text"] = "text"
    vocabulary_size: int

    def with_names(self, count: int) -> Self:
        """Return the same shape for so many words."""
        return self.model_copy(update={"vocabulary_size": count})


class ImageShape(Outgoing):
    """Pixels (batch, channels, height, width) in, logits (batch, classes) out."""

    kind: Literal["images"] = "images"
    channels: int
    height: int
    width: int
    classes: int

    def with_names(self, count: int) -> Self:
        """Return the same shape for so many classes."""
        return self.model_copy(update={"classes": count})


Shape = Annotated[TextShape | ImageShape, Field(discriminator="kind")]
ShapeKind = Literal["text", "images"]
