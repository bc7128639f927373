"""The network as MLflow's Python function."""

from pathlib import Path

import mlflow
from networks import load


class Peer(mlflow.pyfunc.PythonModel):
    """One network behind MLflow's server."""

    def load_context(self, context):
        """Load the network, in the server."""
        folder = Path(context.artifacts["folder"])
        self.network = load(folder, context.model_config["kind"])

    def predict(self, context, model_input):
        """Answer what came."""
        del context
        if hasattr(model_input, "tolist"):
            model_input = model_input.tolist()
        return self.network.answer(model_input)


mlflow.models.set_model(Peer())
