"""The baseline of serving.py: the endpoint that one writes with FastAPI in ten minutes.

`uvicorn benchmarks.by_hand:app` with the variables WEIGHTS, SHAPE and MODEL set; a `def` route that
calls the model directly, pydantic models for body and answer, the server that uvicorn recommends.
"""

import json
import os
from pathlib import Path

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

from service.catalogue import Catalogue
from service.domain.components import Component
from service.domain.shapes import ImageShape

FOLDER = Path(os.environ.get("BY_HAND_FOLDER", "."))


class Body(BaseModel):
    """Images as rows of pixels."""

    inputs: list[list[list[int]]]
    top_k: int = 5


class Candidate(BaseModel):
    """A class and its probability."""

    label: str
    probability: float


class Answer(BaseModel):
    """Candidates per image."""

    predictions: list[list[Candidate]]


def make_app() -> FastAPI:
    """Load the model and make the application, as a script would at import."""
    made = json.loads((FOLDER / "model.json").read_text(encoding="utf-8"))
    shape = ImageShape.model_validate(made["shape"])
    architecture = Component.model_validate(made["architecture"])
    model = Catalogue.installed().build_model(architecture, shape)
    model.load_state_dict(load_file(FOLDER / "model.safetensors"))
    model.eval()
    mean, deviation, labels = made["mean"][0], made["deviation"][0], made["classes"]
    app = FastAPI()

    def predict(body: Body) -> Answer:
        images = torch.tensor(body.inputs, dtype=torch.float32).unsqueeze(1)
        with torch.inference_mode():
            shares = model((images - mean) / deviation).softmax(dim=1)
        best = shares.topk(min(body.top_k, len(labels)), dim=1)
        rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return Answer(
            predictions=[
                [
                    Candidate(label=labels[index], probability=value)
                    for index, value in zip(indices, values, strict=True)
                ]
                for indices, values in rows
            ]
        )

    app.post("/predict")(predict)
    return app
