"""What ONNX Runtime makes of an exported network is what the service says."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# ONNX Runtime comes without types.

from typing import Any, cast

import onnxruntime
import pytest
import torch
from torch import Tensor

from service.prediction.bundles.onnx_file import exported
from tests.prediction.bundles.conftest import Bundled


def sessions(each: Bundled) -> Any:
    reads_texts = each.spec.task in {"next_word", "text_classification"}
    content = exported(each.asked, each.inputs, {"a": "b"}, reads_texts=reads_texts)
    options = cast("Any", onnxruntime).SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options)


def differs(session: Any, each: Bundled, inputs: Tensor) -> bool:
    """Compare to a ten-thousandth."""
    with torch.inference_mode():
        expected = each.asked(inputs).double()
    found = torch.from_numpy(session.run(None, {"inputs": inputs.numpy()})[0]).double()
    return bool(((found - expected).abs() > 1e-4 * (1 + expected.abs().max())).any())


def other_inputs(each: Bundled) -> list[Tensor]:
    """Make of a model's inputs more of them, and of texts shorter and longer ones."""
    more = torch.cat([each.inputs, each.inputs[:1]])
    if each.spec.task == "next_word":
        return [more, more[:, :2], torch.cat([more, more, more], dim=1)]
    return [more, each.inputs[:1, -2:]] if each.spec.task == "text_classification" else [more]


def wrong_ones(bundled: list[Bundled]) -> list[Any]:
    return [
        each.spec.architecture
        for each in bundled
        for session in [sessions(each)]
        if any(differs(session, each, inputs) for inputs in (each.inputs, *other_inputs(each)))
    ]


def test_every_architecture_says_the_same_in_onnx_runtime(bundled: list[Bundled]) -> None:
    first = {(each.spec.task, each.spec.architecture.type): each for each in bundled}
    assert wrong_ones([*first.values()]) == []


@pytest.mark.slow
def test_every_option_says_the_same_in_onnx_runtime(bundled: list[Bundled]) -> None:
    assert wrong_ones(bundled) == []
