"""LitServe with its batching: whatever came within a few milliseconds goes through together."""

import sys
from pathlib import Path

import litserve
from networks import load

folder, kind, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])


class Api(litserve.LitAPI):
    """One network behind LitServe's worker."""

    def setup(self, device):
        """Load the network, in the worker."""
        del device
        self.network = load(folder, kind)

    def decode_request(self, request):
        """Take the one input of a request."""
        return request["inputs"][0]

    def batch(self, inputs):
        """Put inputs together."""
        return inputs

    def predict(self, inputs):
        """Answer a batch."""
        return self.network.answer(inputs)

    def unbatch(self, output):
        """Take answers apart."""
        return output

    def encode_response(self, output):
        """Render one answer."""
        return {"predictions": [output]}


if __name__ == "__main__":
    api = Api(max_batch_size=16, batch_timeout=0.002)
    litserve.LitServer(api, accelerator="cpu", timeout=60).run(
        port=port, host="127.0.0.1", log_level="warning", generate_client_file=False
    )
