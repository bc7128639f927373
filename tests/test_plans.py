"""What a plan says a job would cost, and what is refused or warned of before anything trains."""

import pytest

from service.catalogue import Catalogue
from tests.tasks.tables import a_table
from tests.test_catalogue import errors_of, images, resolved, some_facts


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.installed()


def test_a_plan_counts_what_will_be_built(catalogue: Catalogue) -> None:
    spec = resolved(catalogue, images(8), architecture={"type": "mlp", "hidden_sizes": [16]})

    plan = catalogue.plan(spec, some_facts(images(8)))

    parameters = 64 * 16 + 16 + 16 * 10 + 10
    assert plan.parameters == parameters
    assert plan.checkpoint_bytes == 3 * 4 * parameters  # adamw keeps two numbers per weight
    assert (plan.steps_per_epoch, plan.steps) == (47, 47 * 20)
    assert plan.memory_bytes > plan.checkpoint_bytes
    assert plan.warnings == []


def test_a_plan_counts_the_images_at_the_size_that_is_asked_for(catalogue: Catalogue) -> None:
    def memory(**options: int | str) -> int:
        spec = resolved(catalogue, images(28), dataset={"name": "some", **options})
        return catalogue.plan(spec, some_facts(images(28))).memory_bytes

    assert memory(height=280, width=280) - memory() > 3615 * (280 * 280 - 28 * 28)


def test_images_too_large_for_the_memory_are_refused_beyond_doubt() -> None:
    catalogue = Catalogue.installed(max_memory_bytes=2_500_000_000)
    size = {"name": "some", "height": 500, "width": 500}

    errors = errors_of(catalogue, images(), dataset={**size, "colour": "rgb"})

    assert list(errors) == ["/dataset"]
    assert "2.7 GB, and a job here may take 2.5" in errors["/dataset"]
    assert resolved(catalogue, images(), dataset=size).dataset.options["height"] == 500


def test_a_plan_counts_the_weights_beside_their_average(catalogue: Catalogue) -> None:
    plain, averaged = (
        catalogue.plan(
            resolved(catalogue, images(8), architecture="mlp", training={"ema": ema}),
            some_facts(images(8)),
        )
        for ema in (None, {"decay": 0.9})
    )

    weights = 4 * plain.parameters
    assert averaged.checkpoint_bytes == plain.checkpoint_bytes + weights
    assert averaged.memory_bytes == plain.memory_bytes + weights


def test_a_plan_warns_of_a_schedule_that_early_stopping_cuts_off(catalogue: Catalogue) -> None:
    def warnings(schedule: str) -> list[str]:
        training = {"early_stopping": {"metric": "val_loss"}}
        spec = resolved(catalogue, images(8), schedule=schedule, training=training)
        return catalogue.plan(spec, some_facts(images(8))).warnings

    assert "whole length" in warnings("linear")[0]
    assert warnings("plateau") == warnings("constant") == []


def test_numbers_have_no_labels_to_smooth(catalogue: Catalogue) -> None:
    training = {"label_smoothing": 0.1}

    errors = errors_of(catalogue, a_table().facts, training=training)
    spec = resolved(catalogue, images(), training=training)

    assert "regression does not" in errors["/training/label_smoothing"]
    assert spec.training.label_smoothing == 0.1


def test_full_batch_descent_takes_one_step_an_epoch_and_the_plan_warns(
    catalogue: Catalogue,
) -> None:
    spec = resolved(catalogue, images(), optimizer="gd", training={"epochs": 30})

    plan = catalogue.plan(spec, some_facts(images()))

    assert (plan.steps_per_epoch, plan.steps) == (1, 30)
    assert "one step an epoch" in plan.warnings[0]


def test_a_plan_counts_the_range_test_and_says_how_long_it_takes(catalogue: Catalogue) -> None:
    given, picked = (
        catalogue.plan(
            resolved(catalogue, images(8), optimizer={"type": "sgd", "lr": lr}),
            some_facts(images(8)),
        )
        for lr in (0.1, "auto")
    )

    assert (picked.steps, picked.spec.optimizer.options()["lr"]) == (given.steps, "auto")
    assert given.estimated_seconds < picked.estimated_seconds < 1.2 * given.estimated_seconds
    [warning] = picked.warnings
    assert "a range test of 94 steps comes first" in warning
