"""What a model sees and says: the shapes that an architecture is built for.

A task knows its shape once its data are prepared; an architecture says which kinds it accepts.
A shape counts things that have names, on one axis or several: so weights can be taken over by name.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field

from service.domain.base import Outgoing

Axis = Literal["words", "classes", "numbers", "categories"]

END_OF_TEXT = 1
"""The index of `<eos>` in every vocabulary."""


class TextShape(Outgoing):
    """Token indices (batch, time) in, logits (batch, time, vocabulary) out."""

    axes: ClassVar[tuple[Axis, ...]] = ("words",)

    kind: Literal["text"] = "text"
    vocabulary_size: int

    def with_names(self, axis: Axis, count: int) -> Self:
        """Return the same shape for so many words."""
        return _resized(self, axis, {"words": {"vocabulary_size": count}})


class TextClassShape(Outgoing):
    """Token indices (batch, time) in, logits (batch, classes) out.

    Every row ends with `<eos>` and is filled up with it: the first one of a row is its end.
    """

    axes: ClassVar[tuple[Axis, ...]] = ("words", "classes")

    kind: Literal["text_classes"] = "text_classes"
    vocabulary_size: int
    classes: int

    def with_names(self, axis: Axis, count: int) -> Self:
        """Return the same shape for so many words, or for so many classes."""
        return _resized(
            self, axis, {"words": {"vocabulary_size": count}, "classes": {"classes": count}}
        )


class TableShape(Outgoing):
    """Rows (batch, numbers + categories) of float32 in, (batch, outputs) out.

    First the numbers, standardised; then the categories, each as its index below its size, to be
    looked up in an embedding. Outputs are logits, or the one standardised value of a regression.
    """

    axes: ClassVar[tuple[Axis, ...]] = ("numbers", "categories", "classes")

    kind: Literal["rows"] = "rows"
    numbers: int
    categories: tuple[int, ...] = ()
    outputs: int

    def with_names(self, axis: Axis, count: int) -> Self:
        """Return the same shape for so many numbers or outputs, or with so many more categories.

        Categories of several columns are one axis: their rows are taken over all or none.
        """
        larger = tuple(size + count for size in self.categories)
        return _resized(
            self,
            axis,
            {
                "numbers": {"numbers": count},
                "categories": {"categories": larger},
                "classes": {"outputs": count},
            },
        )


class ImageShape(Outgoing):
    """Pixels (batch, channels, height, width) in, logits (batch, classes) out."""

    axes: ClassVar[tuple[Axis, ...]] = ("classes",)

    kind: Literal["images"] = "images"
    channels: int
    height: int
    width: int
    classes: int

    def with_names(self, axis: Axis, count: int) -> Self:
        """Return the same shape for so many classes."""
        return _resized(self, axis, {"classes": {"classes": count}})


AnyShape = TextShape | TextClassShape | TableShape | ImageShape
Shape = Annotated[AnyShape, Field(discriminator="kind")]
ShapeKind = Literal["text", "text_classes", "rows", "images"]

_ShapeT = TypeVar("_ShapeT", bound=Outgoing)


def _resized(shape: _ShapeT, axis: Axis, sizes: Mapping[Axis, Mapping[str, Any]]) -> _ShapeT:
    return shape.model_copy(update=sizes[axis])
