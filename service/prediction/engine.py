"""Answers predictions: name → weights → task.encode → model → task.decode.

A name is resolved anew each time, so that a newer version or checkpoint is served at once; weights
never change under their SHA-256, so they are loaded once and kept while memory allows.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from safetensors.torch import load
from torch import nn

from service.catalogue import Catalogue
from service.domain.models import Servable
from service.domain.predictions import Input, PredictResponse, Timings
from service.prediction.cache import Cache, Sized
from service.store import blobs as blob_store
from service.store import models as model_store
from service.store.engine import Database
from service.store.errors import BlobGone
from service.tasks.base import Task

ATTEMPTS = 5


class _Key(NamedTuple):
    weights_sha256: str
    preparation_sha256: str
    task: str
    architecture: str


class _Loaded(NamedTuple):
    model: nn.Module
    task: Task


class Predictor:
    """Serves every model that a name stands for; safe to use from many threads."""

    def __init__(self, database: Database, catalogue: Catalogue, *, memory_bytes: int) -> None:
        self._database = database
        self._catalogue = catalogue
        self._cache = Cache[_Key, _Loaded](memory_bytes=memory_bytes)

    def predict(
        self, reference: str, inputs: Sequence[Input], *, top_k: int, special_tokens: bool
    ) -> PredictResponse:
        """Answer each input. Raises ModelNotFound, ModelNotReady, or Invalid for an input."""
        started = time.perf_counter()
        servable, loaded = self._find(reference)
        encoded = loaded.task.encode(inputs)
        ready = time.perf_counter()
        with torch.inference_mode():
            logits = loaded.task.infer(loaded.model, encoded)
        answered = time.perf_counter()
        predictions = loaded.task.decode(
            logits, encoded, top_k=top_k, special_tokens=special_tokens
        )
        return PredictResponse(
            model=servable.model,
            version=servable.version,
            checkpoint=servable.checkpoint,
            task=servable.task,
            predictions=predictions,
            timings=Timings(
                queue_ms=_milliseconds(ready - started),
                model_ms=_milliseconds(answered - ready),
                total_ms=_milliseconds(time.perf_counter() - started),
                batch_size=len(inputs),
            ),
        )

    def _find(self, reference: str) -> tuple[Servable, _Loaded]:
        """Resolve and load. A job that trains may replace its checkpoint in between: once more."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._find_once(reference)
            except BlobGone:
                continue
        return self._find_once(reference)

    def _find_once(self, reference: str) -> tuple[Servable, _Loaded]:
        with self._database.read() as session:
            servable = model_store.get_servable(session, reference)
        key = _Key(
            servable.weights_sha256,
            servable.preparation_sha256,
            servable.task,
            servable.architecture.model_dump_json(),
        )
        return servable, self._cache.get(key, partial(self._load, servable))

    def _load(self, servable: Servable) -> Sized[_Loaded]:
        preparation = blob_store.read(self._database, servable.preparation_sha256)
        weights = blob_store.read(self._database, servable.weights_sha256)
        task = self._catalogue.restore(servable.task, preparation)
        model = self._catalogue.build_model(servable.architecture, task.shape)
        model.load_state_dict(load(weights))
        model.eval().requires_grad_(requires_grad=False)
        return Sized(_Loaded(model, task), len(weights) + len(preparation))


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)
