"""Every network that can be asked for answers the same from its bundle, where nothing of us is."""

import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor

from service.catalogue import Catalogue
from tests.prediction.bundles.conftest import Bundled

SITE_PACKAGES = Path(torch.__file__).parents[1]
LONELY = Path(__file__).with_name("lonely.py")


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
