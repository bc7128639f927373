"""Ray Serve with `@serve.batch`."""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from networks import load
from ray import serve

folder, kind, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
class Peer:
    """One network behind Ray's proxy."""

    def __init__(self, folder: str, kind: str) -> None:
        self.network = load(Path(folder), kind)

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.002)
    async def answer(self, inputs):
        """Answer a batch."""
        return self.network.answer(inputs)

    async def __call__(self, request):
        """Answer one request."""
        body = await request.json()
        return {"predictions": [await self.answer(body["inputs"][0])]}


if __name__ == "__main__":
    here = str(Path(__file__).parent)
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        runtime_env={"env_vars": {"PYTHONPATH": here}},
        logging_level="error",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(Peer.bind(str(folder), kind), route_prefix="/predict")
    while True:
        time.sleep(60)
