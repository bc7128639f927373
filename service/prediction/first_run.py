"""What only the first run of a model costs, paid before somebody waits for an answer.

Memory is laid out, kernels are chosen for the sizes of the layers, and weights are packed for them.
"""

from service.prediction.batching import Loaded
from service.prediction.example_inputs import example_inputs
from service.tasks.base import bare


def run_once(loaded: Loaded) -> None:
    """Ask a model about anything, as a single caller would."""
    inputs = example_inputs(loaded.task.shape, loaded.model, None)[:1]
    loaded.task.infer(loaded.model, bare(inputs))
