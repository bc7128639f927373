"""Every network that can be asked for answers the same from its bundle, where nothing of us is."""

# pyright: reportUnknownVariableType=false
# safetensors leaves file names partly untyped.

import json
import subprocess
import sys
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
from service.prediction.bundles.examples import encoded, example_inputs
from service.prediction.bundles.program import program
from service.tasks.base import Task
from tests.requests.small import small_data
from tests.training.exactness.requests import Requests

SITE_PACKAGES = Path(torch.__file__).parents[1]
LONELY = Path(__file__).with_name("lonely.py")


class Bundled(NamedTuple):
    """A folder with a model, and what the service makes of the inputs in it."""

    spec: JobSpec
    folder: Path
    expected: Tensor


@pytest.fixture(scope="module")
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
        expected = write(folder, catalogue, spec, trainable.task, trainable.model)
        made.append(Bundled(spec, folder, expected))
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
) -> Tensor:
    """Write what a bundle has, with weights that are all different; return the answers."""
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
    return task.infer(model.eval(), encoded(inputs))


def test_every_model_answers_the_same_with_torch_alone(bundled: list[Bundled]) -> None:
    folders = [str(each.folder) for each in bundled]
    command = [sys.executable, "-I", "-S", str(LONELY), str(SITE_PACKAGES), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = [torch.load(each.folder / "found.pt", weights_only=True) for each in bundled]
    differing = [
        each.spec.architecture
        for each, answers in zip(bundled, found, strict=True)
        if not _is_same(answers, each.expected)
    ]
    assert differing == []


def _is_same(found: Tensor, expected: Tensor) -> bool:
    """Compare to a millionth: the service may read a text in other pieces."""
    scale = max(1.0, expected.abs().max().item())
    return bool((found.double() - expected.double()).abs().max() <= 1e-6 * scale)


def test_every_architecture_is_among_them(bundled: list[Bundled]) -> None:
    catalogue = Catalogue.installed()
    used = {("architecture", each.spec.architecture.type) for each in bundled}
    used |= {("task", each.spec.task) for each in bundled}
    assert used == {
        (kind, info.type) for kind in ("architecture", "task") for info in catalogue.infos(kind)
    }
    assert len({str(each.expected) for each in bundled}) > len(bundled) / 2
