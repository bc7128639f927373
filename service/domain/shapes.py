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


class TextClassShape(Outgoing):
    """Token indices (batch, time) in, logits (batch, classes) out.

    Every row ends with `<eos>` and is filled up with it: the first one of a row is its end.
    """

    kind: Literal["text_classes"] = "text_classes"
    vocabulary_size: int
    classes: int


class TableShape(Outgoing):
    """Rows (batch, numbers + categories) of float32 in, (batch, outputs) out.

    First the numbers, standardised; then the categories, each as its index below its size, to be
    looked up in an embedding. Outputs are logits, or the one standardised value of a regression.
    """

    kind: Literal["rows"] = "rows"
    numbers: int
    categories: tuple[int, ...] = ()
    outputs: int


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


AnyShape = TextShape | TextClassShape | TableShape | ImageShape
Shape = Annotated[AnyShape, Field(discriminator="kind")]
ShapeKind = Literal["text", "text_classes", "rows", "images"]
