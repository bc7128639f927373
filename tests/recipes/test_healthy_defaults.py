"""What the service takes by itself is healthy: the doctor finds nothing in it."""

import pytest

from service.catalogue import Catalogue
from service.training.loop import train
from tests.requests.small import a_built_in
from tests.training.parts import CPU, MemoryRecorder

pytestmark = pytest.mark.usefixtures("one_thread")

CATALOGUE = Catalogue.installed()
QUICK = [("digits", "mlp")]
DEFAULTS = [
    *QUICK,
    *[("digits", "cnn"), ("solar", "mlp"), ("sms-spam", "mlp"), ("korean-chat", "mlp")],
    *[("fashion-mnist-mini", "mlp"), ("fashion-mnist-mini", "cnn")],
    *[("eating", each) for each in ("rnn", "lstm", "gru", "transformer")],
    *[("sms-spam", each) for each in ("rnn", "lstm", "gru", "transformer")],
    *[("korean-chat", "gru"), ("python-docs", "lstm")],
]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("dataset", "architecture"),
    [pytest.param(*each, marks=() if each in QUICK else pytest.mark.slow) for each in DEFAULTS],
)
def test_the_doctor_finds_nothing_in_a_default(dataset: str, architecture: str) -> None:
    recorder, small = MemoryRecorder(), a_built_in(dataset)
    body = {"dataset": dataset, "architecture": architecture, "training": {"device": "cpu"}}
    spec = CATALOGUE.resolve(CATALOGUE.job_request.model_validate(body), small.facts)

    train(CATALOGUE.build(spec, small.data), spec, recorder, device=CPU)

    assert recorder.findings() == []
