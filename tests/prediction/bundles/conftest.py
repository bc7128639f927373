"""Every network that there is, with each of its options, and what it says to some inputs."""

# pyright: reportUnknownVariableType=false
# safetensors leaves file names partly untyped.

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from service.catalogue import Catalogue
from service.domain.jobs import JobSpec
from service.domain.problems import Invalid
from service.prediction.bundles.onnx_file import Asked
from service.prediction.bundles.program import program, way_of
from service.prediction.example_inputs import example_inputs
from service.tasks.base import Task, bare
from tests.requests.small import small_data
from tests.training.exactness.requests import Requests


class Bundled(NamedTuple):
    """A folder with a model, and what the service makes of the inputs in it."""

    spec: JobSpec
    folder: Path
    inputs: Tensor
    expected: Tensor
    asked: Asked


@pytest.fixture(scope="package")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> list[Bundled]:
    """One of each architecture, with each of its options."""
    catalogue, data = Catalogue.installed(), small_data()
    specs = Requests(catalogue, {name: small.facts for name, small in data.items()}).covering(
        all_pairs=False
    )
    made: list[Bundled] = []
    for spec in _different(specs):
        try:
            trainable = catalogue.build(spec, data[spec.dataset.name].data)
        except Invalid:  # only the examples themselves tell that
            continue
        folder = tmp_path_factory.mktemp("bundle")
        made.append(write(folder, catalogue, spec, trainable.task, trainable.model))
    return made


def _different(specs: list[JobSpec]) -> Iterator[JobSpec]:
    """Leave out what differs in its training alone."""
    seen: set[str] = set()
    for spec in specs:
        said = spec.model_dump_json(include={"architecture", "dataset", "task"})
        if said not in seen:
            seen.add(said)
            yield spec


def write(
    folder: Path, catalogue: Catalogue, spec: JobSpec, task: Task, model: nn.Module
) -> Bundled:
    """Write what a bundle has, with weights that are all different."""
    generator = torch.Generator().manual_seed(1)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.9 + 0.05)
    builder = catalogue.builder(spec.architecture)
    config = {
        "architecture": builder.options.model_dump(),
        "shape": task.shape.model_dump(),
        "evaluation": None,
    }
    inputs = example_inputs(
        task.shape, model, json.loads(task.preparation()).get("sequence_length")
    )
    (folder / "model.py").write_text(program(builder.build, type(task.shape), spec.task))
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preparation.json").write_bytes(task.preparation())
    save_file(
        {name: each.clone() for name, each in model.state_dict().items()},
        folder / "model.safetensors",
    )
    save_file({"inputs": inputs}, folder / "inputs.safetensors")
    expected = task.infer(model.eval(), bare(inputs))
    preparation = json.loads(task.preparation())
    asked = Asked(model, way_of(spec.task).answer, preparation).eval()
    return Bundled(spec, folder, inputs, expected, asked)
