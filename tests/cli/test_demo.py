"""The parts of the demonstration that can be wrong by themselves: its proof, its pictures."""

import io
from typing import Any

import pytest
from PIL import Image

from service.cli.demo.images import first_of_each_class
from service.cli.demo.proof import Proof, StepFailedError, compared
from service.domain.jobs import Job
from service.domain.predictions import LabelCandidate
from tests.client.answers import a_job


def a_finished_job(*, perplexity: float, guess: float) -> Job:
    result: dict[str, Any] = {
        "model": "eating",
        "version": 1,
        "model_id": "mdl_1",
        "checkpoint": "ckpt_1",
        "metrics": {"val_perplexity": perplexity},
        "baseline": {"name": "unigram", "metrics": {"val_perplexity": guess}},
    }
    return Job.model_validate(a_job(status="succeeded", result=result))


@pytest.mark.parametrize(("perplexity", "failures"), [(10.0, 0), (20.0, 0), (20.1, 1)])
def test_a_model_that_hardly_beats_its_baseline_is_a_failure(
    perplexity: float, failures: int
) -> None:
    proof = Proof()

    proof.expect_lower_perplexity(a_finished_job(perplexity=perplexity, guess=100.0), at_least=5)

    assert len(proof.failures) == failures


@pytest.mark.parametrize("probabilities", [[0.5], [0.2, 0.5], [0.9, 0.8], [0.5, 0.0]], ids=str)
def test_candidates_that_are_too_few_unordered_or_no_probabilities_are_a_failure(
    probabilities: list[float],
) -> None:
    proof = Proof()
    candidates = [
        LabelCandidate(label="rice", probability=value, logprob=0.0) for value in probabilities
    ]

    proof.expect_candidates(candidates, count=2, what="“I like …”")

    assert proof.failures


def test_a_job_without_a_result_cannot_be_compared() -> None:
    with pytest.raises(StepFailedError):
        compared(Job.model_validate(a_job(status="failed")), "val_loss")


def test_the_test_images_are_real_png_files_of_different_classes() -> None:
    images = first_of_each_class(3)

    assert len({image.label for image in images}) == 3
    for image in images:
        with Image.open(io.BytesIO(image.png)) as opened:
            assert (opened.format, opened.mode, opened.size) == ("PNG", "L", (28, 28))
