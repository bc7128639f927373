"""The training examples that a model takes for most like an input."""

from typing import Annotated, Literal

from pydantic import Field

from service.domain.base import Outgoing

MAX_NEIGHBOURS = 20
MAX_INPUTS_WITH_EVIDENCE = 32

EvidenceCount = Annotated[
    int | None,
    Field(
        ge=1,
        le=MAX_NEIGHBOURS,
        description="So many training examples beside each answer, the nearest first: those that "
        "the last layer reads most alike. They are shown as the dataset has them: a key needs the "
        "scope train.",
    ),
]


class Neighbour(Outgoing):
    """A training example: where it stands, what it is, what it was trained to be, how near."""

    line: int | None = Field(
        default=None, description="Of the dataset's file, from 1 on; of pictures there is none."
    )
    index: int | None = Field(
        default=None, description="Of a picture: its place in the dataset, from 0 on."
    )
    excerpt: str | None = Field(
        default=None, description="The text, the words before `token`, or the row; shortened."
    )
    picture: str | None = Field(
        default=None, description="As the model sees it, a PNG in base64, as with explain=input."
    )
    label: str | None = Field(default=None, description="Its class.")
    value: float | None = Field(default=None, description="Its target, of a regression.")
    token: str | None = Field(default=None, description="The word that followed.")
    distance: float = Field(description="0: the last layer cannot tell it from the input.")


class EvidenceFrom(Outgoing):
    """What the nearest examples were looked for in."""

    dataset: str
    distance: Literal["euclidean"] = Field(
        default="euclidean", description="Between what the last layer reads of both."
    )
    examples: int = Field(description="That the model was trained on; of texts to go on, words.")
    examples_searched: int = Field(
        description="Of them; where there are more than can be kept, evenly from first to last."
    )
