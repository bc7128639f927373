"""The chain of a certificate: what it depends on, what it leaves out, and how anybody checks it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from service.domain.beginnings import InitialWeights
from service.domain.certificates import Certificate, Stretch, Taken, certify
from service.domain.components import Component
from service.domain.jobs import CheckpointSpec, DatasetSpec, JobSpec, TrainingSpec
from service.domain.requests import EarlyStopping

SPEC = JobSpec(
    model="lunch",
    task="next_word",
    dataset=DatasetSpec(name="eating", id="ds_1", type="text", sha256="d" * 64, options={"a": 1}),
    architecture=Component.model_validate({"type": "rnn", "hidden_size": 8}),
    optimizer=Component.model_validate({"type": "sgd", "lr": 0.1}),
    schedule=Component(type="constant"),
    training=TrainingSpec(
        epochs=3,
        max_steps=None,
        batch_size=4,
        seed=0,
        device="auto",
        precision="float32",
        gradient_clip=None,
        early_stopping=EarlyStopping(),
        checkpoint=CheckpointSpec(every_steps=2, keep_best=1, keep_latest=1, keep_periodic=20),
        max_seconds=None,
        best_metric="val_loss",
    ),
)


def taken(step: int, state: str = "", *, scheduled: bool = True) -> Taken:
    return Taken(step, 1, "w" * 64, state or f"state {step}", scheduled)


def certificate(*checkpoints: Taken | None, spec: JobSpec = SPEC) -> Certificate:
    return certify("job_1", spec, [], checkpoints)


def training(**changes: Any) -> JobSpec:
    return SPEC.model_copy(update={"training": SPEC.training.model_copy(update=changes)})


def check(answer: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Check a certificate as the guide says."""
    guide = (Path(__file__).parents[2] / "docs" / "exact-resume.md").read_text(encoding="utf-8")
    [script] = re.findall(r"^```python\n(# check\.py\n.*?)^```", guide, re.MULTILINE | re.DOTALL)
    return subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(answer),
        capture_output=True,
        text=True,
        check=False,
    )


def test_anybody_can_check_the_chain_as_the_guide_says() -> None:
    made = certificate(taken(2), taken(3, scheduled=False), taken(4))

    done = check(made.model_dump(mode="json"))

    assert (done.returncode, done.stdout) == (0, f"right: {made.sha256}\n")
    assert (made.links, made.chain[-1].link) == (2, made.sha256)


def test_a_chain_that_was_changed_does_not_pass_the_check() -> None:
    answer = certificate(taken(2), taken(4)).model_dump(mode="json")
    answer["chain"][0]["state_sha256"] = "another"

    assert "step 2 is wrong" in check(answer).stderr


def test_checkpoints_of_orders_are_shown_and_change_nothing() -> None:
    quiet = certificate(taken(2), taken(4))
    ordered = certificate(taken(2), taken(2, scheduled=False), taken(3, scheduled=False), taken(4))

    assert ordered.sha256 == quiet.sha256
    assert [each.step for each in ordered.chain] == [2, 3, 4]


def test_several_kinds_of_one_state_are_one_link() -> None:
    assert certificate(taken(2), taken(2), taken(4)) == certificate(taken(2), taken(4))


def test_what_was_computed_again_replaces_what_was_before() -> None:
    again = certificate(taken(2), taken(4, "lost"), taken(6, "lost"), taken(4), taken(6))

    assert again == certificate(taken(2), taken(4), taken(6))


def test_a_chain_with_a_gap_proves_nothing() -> None:
    gap = certificate(taken(2), None, taken(6))

    assert (gap.complete, gap.exact, gap.sha256) == (False, None, None)
    assert (gap.links, [each.link is None for each in gap.chain]) == (1, [False, True])


def test_another_state_gives_another_certificate() -> None:
    assert certificate(taken(2), taken(4)).sha256 != certificate(taken(2, "x"), taken(4)).sha256


def test_names_and_what_changes_no_bit_are_left_out() -> None:
    dataset = SPEC.dataset.model_copy(update={"name": "lunch", "id": "ds_2"})
    for other in (
        SPEC.model_copy(update={"model": None}),
        SPEC.model_copy(update={"dataset": dataset}),
        training(device="cpu", exact="required", max_seconds=9.0),
    ):
        assert certificate(spec=other).sha256 == certificate().sha256


def test_everything_that_changes_bits_is_in_it() -> None:
    dataset = SPEC.dataset.model_copy(update={"sha256": "e" * 64})
    weights = InitialWeights(
        dataset="eating",
        architecture=SPEC.architecture,
        weights_sha256="a" * 64,
        state_sha256="b" * 64,
        model="lunch@1",
        version=1,
        checkpoint="ckpt_1",
        preparation_sha256="c" * 64,
    )
    others = [
        SPEC.model_copy(update={"dataset": dataset}),
        SPEC.model_copy(update={"schedule": Component(type="step")}),
        SPEC.model_copy(update={"initialize_from": weights}),
        training(seed=1),
        training(batch_size=5),
        training(early_stopping=None),
    ]
    firsts = {certificate(spec=spec).first_link for spec in (SPEC, *others)}

    assert len(firsts) == 1 + len(others)


def test_one_stretch_that_was_not_exact_makes_the_whole_inexact() -> None:
    def stretch(*, exact: bool) -> Stretch:
        return Stretch(attempt=1, checkpoint=None, step=0, exact=exact, environment={}, differs={})

    both = [stretch(exact=True), stretch(exact=False)]
    assert certify("job_1", SPEC, both[:1], []).exact
    assert not certify("job_1", SPEC, both, []).exact
