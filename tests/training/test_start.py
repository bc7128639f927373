"""How a run goes on: as it was where that can be, and where it cannot, it says what differs."""

import json
from typing import Any

import pytest
import torch

from service.domain.environments import Environment, needs, offers, offers_threads
from service.training import device as devices
from service.training.start import NotExact, Saved, environment_before
from service.training.state import read_header
from tests.training.parts import (
    CPU,
    Kept,
    MemoryRecorder,
    a_spec,
    build,
    image_data,
    run,
    text_data,
)

pytestmark = pytest.mark.usefixtures("one_thread")

MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [16]}
CNN: dict[str, Any] = {"type": "cnn", "stem_channels": 4, "blocks": [{"channels": 4}]}


def started(recorder: MemoryRecorder) -> dict[str, Any]:
    return next(data for happened, data in recorder.events if happened == "started")


def warnings(recorder: MemoryRecorder) -> list[dict[str, Any]]:
    return [data for happened, data in recorder.events if happened == "warning"]


def computed_with(draft: Kept, **environment: object) -> Kept:
    """Write into a checkpoint that it was computed on another machine."""
    length = int.from_bytes(draft.state[:8], "little")
    header = json.loads(draft.state[8 : 8 + length])
    state = read_header(draft.state)
    state["environment"] |= environment
    header["__metadata__"]["state"] = json.dumps(state)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    content = len(text).to_bytes(8, "little") + text + draft.state[8 + length :]
    return draft._replace(state=content)


def test_a_first_start_is_exact_and_names_its_machine() -> None:
    data = image_data()
    _, recorder, _ = run(a_spec(data, MLP), data)

    event = started(recorder)
    assert recorder.events[0][0] == "started"
    assert (event["checkpoint"], event["step"], event["exact"], event["differs"]) == (
        None, 0, True, {},
    )  # fmt: skip
    assert event["run"]["environment"] == read_header(recorder.drafts[0].state)["environment"]
    assert warnings(recorder) == []


def test_going_on_on_the_same_machine_is_exact() -> None:
    data = image_data()
    spec = a_spec(data, MLP)
    draft = run(spec, data)[1].drafts[0]
    _, resumed, _ = run(spec, data, resume=draft)

    event = started(resumed)
    assert (event["step"], event["exact"], event["differs"]) == (draft.step, True, {})
    assert event["checkpoint"] is not None
    assert warnings(resumed) == []


def test_going_on_elsewhere_says_what_differs() -> None:
    data = image_data()
    spec = a_spec(data, MLP)
    draft = computed_with(run(spec, data)[1].drafts[0], torch="1.0", threads=3)
    _, resumed, _ = run(spec, data, resume=draft)

    event, [warning] = started(resumed), warnings(resumed)
    differs = {
        "threads": {"was": 3, "is": 1},
        "torch": {"was": "1.0", "is": torch.__version__},
    }
    assert (event["exact"], event["differs"]) == (False, differs)
    assert (warning["code"], warning["differs"]) == ("resume_not_exact", differs)
    assert "threads was 3 and is 1" in warning["message"]
    assert resumed.drafts[-1].step > draft.step


def test_where_exactness_is_required_nothing_is_written_elsewhere() -> None:
    data = image_data()
    spec = a_spec(data, MLP, exact="required")
    draft = computed_with(run(spec, data)[1].drafts[0], cpu_capability="SSE2")
    recorder = MemoryRecorder()

    with pytest.raises(NotExact, match="cpu_capability was SSE2"):
        run(spec, data, resume=draft, recorder=recorder)

    assert (recorder.events, recorder.runs, recorder.drafts) == ([], [], [])


def test_a_job_goes_on_with_the_threads_it_had_where_there_are_so_many() -> None:
    data = text_data()
    small = build(a_spec(data, {"type": "rnn", "hidden_size": 4}), data).model

    assert devices.choose_threads(small, 4) == 1
    assert devices.choose_threads(small, 4, before={"threads": 3}) == 3
    assert devices.choose_threads(small, 2, before={"threads": 3}) == 1


def test_images_lie_in_memory_as_they_did() -> None:
    data = image_data()
    model = build(a_spec(data, CNN), data).model
    before: Environment = {"memory_format": "contiguous_format"}

    assert devices.choose_memory_format(model, CPU) == torch.channels_last
    assert devices.choose_memory_format(model, CPU, before=before) == torch.contiguous_format


def test_a_free_choice_of_device_falls_on_the_one_it_was_computed_on() -> None:
    assert devices.choose_device("auto", before={"device": "cpu"}) == CPU
    assert str(devices.choose_device("auto", before={"device": "another"})) in (
        devices.available_devices()
    )


def test_a_machine_offers_what_its_own_runs_need() -> None:
    environment = devices.environment(CPU, "float32", torch.contiguous_format)

    assert set(needs(environment)) <= {*devices.machine_offers(), *offers_threads(1)}
    other = offers(torch="1.0", cpu_capability="AVX2", devices=["cpu"], bfloat16=True)
    assert not set(needs(environment)) <= {*other, *offers_threads(8)}


def test_a_job_takes_no_more_threads_than_are_free_and_keeps_what_it_had() -> None:
    data = image_data()
    large = build(a_spec(data, CNN), data).model

    assert devices.choose_threads(large, 4) == 4
    assert devices.choose_threads(large, 4, free=lambda: 3) == 3
    assert devices.choose_threads(large, 4, free=lambda: 0) == 1
    assert devices.choose_threads(large, 4, free=lambda: 9) == 4
    assert devices.choose_threads(large, 4, free=lambda: None) == 4
    assert devices.choose_threads(large, 4, free=lambda: 1, before={"threads": 2}) == 2


def test_what_an_attempt_chose_goes_before_what_a_fork_was_given() -> None:
    data = image_data()
    draft = run(a_spec(data, MLP), data)[1].drafts[0]
    given = Saved("ckpt_1", draft.weights, draft.state, keeps=frozenset({"weights"}))
    own = given._replace(keeps=None)
    attempt: Environment = {"threads": 3}

    assert environment_before(None, None) is None
    assert environment_before(None, attempt) == attempt
    assert environment_before(given, None) == given.environment()
    assert environment_before(given, attempt) == attempt
    assert environment_before(own, attempt) == own.environment()
