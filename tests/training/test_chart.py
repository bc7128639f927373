"""What the doctor remembers: enough to judge, bounded, and readable from any checkpoint."""

import json
from dataclasses import asdict
from typing import Any

from safetensors.torch import load

from service.training.chart import REMEMBERED, Chart
from service.training.state import read_header
from service.training.tensor_file import TensorFile
from tests.training.parts import a_spec, image_data, run

MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [16]}


def an_epoch(chart: Chart, *losses: float, val_loss: float) -> None:
    for loss in losses:
        chart.note_step(loss, 1, 0.1)
    chart.note_epoch(val_loss)


def test_an_epochs_loss_is_the_mean_over_its_steps() -> None:
    chart = Chart()
    chart.note_step(3.0, 2, 0.1)
    chart.note_step(1.0, 6, 0.2)
    chart.note_epoch(0.7)

    assert (chart.first_loss, chart.peak_lr, chart.train_losses) == (3.0, 0.2, [1.5])
    assert (chart.loss_sum, chart.loss_weight) == (0.0, 0)


def test_what_was_lowest_is_remembered_with_the_training_loss_of_its_epoch() -> None:
    chart = Chart()
    for train, val in [(2.0, 2.0), (1.0, 1.0), (0.5, 1.5), (0.2, 1.2)]:
        an_epoch(chart, train, val_loss=val)
    assert (chart.lowest, chart.train_loss_at_lowest, chart.epochs_since_lowest) == (1.0, 1.0, 2)


def test_a_chart_stays_small_however_long_a_run_is() -> None:
    chart = Chart()
    for number in range(100):
        an_epoch(chart, 1.0, val_loss=number)
    assert chart.epochs == 100
    assert len(chart.train_losses) == len(chart.val_losses) == REMEMBERED


def test_a_chart_goes_through_a_checkpoint_as_it_is() -> None:
    data = image_data()
    _, recorder, _ = run(a_spec(data, MLP, epochs=3), data, orders={3: "pause"})
    kept = Chart(**read_header(recorder.drafts[-1].state)["chart"])
    assert kept.epochs == 0  # stopped within the first epoch, of 3 steps
    assert kept.loss_weight == 64
    assert Chart(**json.loads(json.dumps(asdict(kept)))) == kept


def test_a_checkpoint_of_an_earlier_version_has_no_chart_and_goes_on() -> None:
    data = image_data()
    spec = a_spec(data, MLP, epochs=3)
    _, recorder, _ = run(spec, data, orders={3: "pause"})
    draft = recorder.drafts[-1]
    header = {name: each for name, each in read_header(draft.state).items() if name != "chart"}
    earlier = TensorFile(load(draft.state), {"state": json.dumps(header)}).read()

    outcome, resumed, _ = run(spec, data, resume=draft._replace(state=earlier))

    assert outcome.how == "finished"
    assert read_header(resumed.drafts[-1].state)["chart"]["epochs"] == 3
