"""BentoML with adaptive batching."""

import os
from pathlib import Path
from typing import Any

import bentoml
from networks import load


@bentoml.service(workers=1, traffic={"timeout": 60})
class Peer:
    """One network behind BentoML's batching."""

    def __init__(self) -> None:
        self.network = load(Path(os.environ["PEER_FOLDER"]), os.environ["PEER_KIND"])

    @bentoml.api(batchable=True, max_batch_size=16, max_latency_ms=500)
    def predict(self, inputs: list[Any]) -> list[Any]:
        """Answer a batch."""
        return self.network.answer(inputs)
