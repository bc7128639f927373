"""The endpoint that one writes with FastAPI in ten minutes: `def`, the model called directly."""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from networks import load
from pydantic import BaseModel

folder, kind, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
network = load(folder, kind)
app = FastAPI()


class Candidate(BaseModel):
    """A class, or a word, and its probability."""

    label: str | None = None
    token: str | None = None
    probability: float


class Answer(BaseModel):
    """Candidates per input."""

    predictions: list[list[Candidate]]


class ImagesBody(BaseModel):
    """Images as rows of pixels."""

    inputs: list[list[list[int]]]


class WordsBody(BaseModel):
    """Texts."""

    inputs: list[str]


def images(body: ImagesBody) -> Answer:
    """Answer images."""
    return Answer.model_validate({"predictions": network.answer(body.inputs)})


def words(body: WordsBody) -> Answer:
    """Answer texts."""
    return Answer.model_validate({"predictions": network.answer(body.inputs)})


app.post("/predict")(images if kind == "images" else words)

if __name__ == "__main__":
    uvicorn.run(app, port=port, log_level="warning", access_log=False)
