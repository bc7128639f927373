"""The catalogue: what is found, how requests are typed and resolved, what is built of them."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import JsonValue

from service.catalogue import Catalogue, Trainable
from service.datasets.base import ImageData
from service.domain.components import Component
from service.domain.datasets import DatasetFacts, Facts, ImageFacts, TextFacts
from service.domain.jobs import JobSpec
from service.domain.problems import Invalid
from service.domain.requests import JobRequest
from service.domain.shapes import ImageShape
from service.domain.validation import parse
from tests.tasks.tables import a_table

ARCHITECTURES = ["cnn", "gru", "lstm", "mlp", "rnn", "transformer"]
TEXT = TextFacts(
    sequences="lines", lines=2000, words=14000, distinct_words=300, vocabulary_sizes=[302, 290]
)


def images(size: int = 28) -> ImageFacts:
    return ImageFacts(
        channels=1,
        height=size,
        width=size,
        classes=[str(label) for label in range(10)],
        examples=3000,
        test_examples=615,
        examples_per_class=[300] * 10,
    )


def some_facts(facts: Facts) -> DatasetFacts:
    return DatasetFacts(id="ds_1", name="some", sha256="ab", facts=facts, files=[])


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.installed()


def a_request(catalogue: Catalogue, **fields: Any) -> JobRequest:
    body = {"dataset": "some", "architecture": "mlp", **fields}
    return parse(catalogue.job_request, json.dumps(body).encode())


def resolved(catalogue: Catalogue, facts: Facts, **fields: Any) -> JobSpec:
    return catalogue.resolve(a_request(catalogue, **fields), some_facts(facts))


def errors_of(catalogue: Catalogue, facts: Facts, **fields: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        resolved(catalogue, facts, **fields)
    return {error.pointer: error.detail for error in caught.value.errors}


def test_everything_the_package_brings_is_found(catalogue: Catalogue) -> None:
    assert catalogue.components() == [
        *(f"architecture:{name}" for name in ARCHITECTURES),
        *(
            f"optimizer:{name}"
            for name in ("adadelta", "adagrad", "adam", "adamw", "gd", "muon", "rmsprop", "sgd")
        ),
        *(
            f"schedule:{name}"
            for name in (
                "constant",
                "cosine",
                "exponential",
                "linear",
                "one_cycle",
                "plateau",
                "step",
            )
        ),
        *(
            f"task:{name}"
            for name in (
                "classification",
                "image_classification",
                "next_word",
                "regression",
                "text_classification",
            )
        ),
    ]


def test_every_component_describes_all_of_its_options(catalogue: Catalogue) -> None:
    kinds = ("architecture", "optimizer", "schedule", "task")
    infos = [info for kind in kinds for info in catalogue.infos(kind)]

    for info in infos:
        properties: Any = info.json_schema.get("properties", {})
        assert set(info.defaults) == set(properties)
        undescribed = [name for name, option in properties.items() if "description" not in option]
        assert undescribed in ([], ["type"]), info.type


def test_every_architecture_has_a_worked_example_that_is_accepted(catalogue: Catalogue) -> None:
    texts = {info.type for info in catalogue.infos("architecture") if "text" in info.fits}
    for name, example in catalogue.examples().items():
        request = parse(catalogue.job_request, json.dumps(example).encode())
        spec = catalogue.resolve(request, some_facts(TEXT if name in texts else images()))
        assert spec.architecture.type == name


def test_a_bare_string_and_an_object_without_options_mean_the_same(catalogue: Catalogue) -> None:
    bare = a_request(catalogue, architecture="cnn", optimizer="adam", schedule="step")
    full = a_request(
        catalogue,
        dataset={"name": "some"},
        architecture={"type": "cnn"},
        optimizer={"type": "adam"},
        schedule={"type": "step"},
    )

    assert bare == full


def test_the_schema_shows_both_forms_and_a_discriminated_union(catalogue: Catalogue) -> None:
    schema: Any = catalogue.job_request.model_json_schema()["properties"]["architecture"]

    bare, union = schema["anyOf"]
    assert bare["enum"] == ARCHITECTURES
    assert set(union["discriminator"]["mapping"]) == set(ARCHITECTURES)


def test_nothing_is_left_to_a_default_in_a_spec(catalogue: Catalogue) -> None:
    spec = resolved(catalogue, images(), architecture="cnn")

    assert spec.task == "image_classification"
    assert spec.optimizer.options()["lr"] == 0.004
    assert spec.schedule.type == "one_cycle"
    assert (spec.training.epochs, spec.training.batch_size) == (10, 64)
    assert spec == JobSpec.model_validate_json(spec.model_dump_json())


def test_a_spec_resolves_to_itself(catalogue: Catalogue) -> None:
    spec = resolved(catalogue, TEXT, architecture={"type": "rnn", "hidden_size": 7})
    again = resolved(
        catalogue,
        TEXT,
        dataset={"name": "some", **spec.dataset.options},
        architecture=spec.architecture.options(),
        optimizer=spec.optimizer.options(),
        schedule=spec.schedule.options(),
        training=spec.training.model_dump(mode="json", exclude={"best_metric"}),
    )

    assert again == spec


def test_an_explicit_null_turns_the_recipes_clipping_off(catalogue: Catalogue) -> None:
    recipe = resolved(catalogue, TEXT, architecture="rnn")
    without = resolved(catalogue, TEXT, architecture="rnn", training={"gradient_clip": None})

    assert (recipe.training.gradient_clip, without.training.gradient_clip) == (1.0, None)


def test_max_steps_takes_the_place_of_epochs(catalogue: Catalogue) -> None:
    spec = resolved(catalogue, images(), training={"max_steps": 7})

    assert (spec.training.epochs, spec.training.max_steps) == (None, 7)
    assert catalogue.plan(spec, some_facts(images())).steps == 7


@pytest.mark.parametrize(
    ("facts", "fields", "pointer", "words"),
    [
        (TEXT, {"architecture": "cnn"}, "/architecture", "what fits: gru, lstm, rnn"),
        (images(), {"architecture": "rnn"}, "/architecture", "what fits: cnn, mlp"),
        (images(), {"architecture": "clr"}, "/architecture", f"known: {', '.join(ARCHITECTURES)}"),
        (images(), {"architecture": {"type": "mpl"}}, "/architecture/type", "mean 'mlp'"),
        (images(), {"optimizer": {"type": "adm"}}, "/optimizer/type", "mean 'adam'"),
        (images(), {"optimizer": {"type": "sgd", "lr": 0}}, "/optimizer/lr", "greater than 0"),
        (images(), {"optimizer": {"type": "sgd", "lr": "1"}}, "/optimizer/lr", "quotes"),
        (images(), {"schedule": {"type": "step", "gama": 1}}, "/schedule/gama", "mean 'gamma'"),
        (
            images(),
            {"architecture": {"type": "mlp", "hidden_sizes": [8, True]}},
            "/architecture/hidden_sizes/1",
            "whole number",
        ),
        (
            images(),
            {"architecture": {"type": "cnn", "blocks": [{"channels": 8}, {"channel": 3}]}},
            "/architecture/blocks/1/channel",
            "mean 'channels'",
        ),
        (images(4), {"architecture": "cnn"}, "/architecture/blocks/2/pool", "4 × 4"),
        (
            images(),
            {"dataset": {"name": "x", "task": "next_word"}},
            "/dataset/task",
            "what fits: image_classification",
        ),
        (
            images(),
            {"dataset": {"name": "x", "min_count": 2}},
            "/dataset/min_count",
            "belongs to next_word",
        ),
        (images(), {"dataset": {"name": "x", "taks": 2}}, "/dataset/taks", "mean 'task'"),
        (
            images(),
            {"training": {"early_stopping": {"metric": "val_perplexity"}}},
            "/training/early_stopping/metric",
            "known: val_accuracy, val_loss",
        ),
        (
            images(),
            {"schedule": {"type": "plateau", "metric": "val_los"}},
            "/schedule/metric",
            "mean 'val_loss'",
        ),
        (
            images(),
            {"architecture": {"type": "mlp", "hidden_sizes": [65536, 65536]}},
            "/architecture",
            "parameters; the limit here is 1,000,000,000",
        ),
    ],
)
def test_what_does_not_go_together_is_pointed_at(
    catalogue: Catalogue, facts: Facts, fields: dict[str, JsonValue], pointer: str, words: str
) -> None:
    errors = errors_of(catalogue, facts, **fields)

    assert pointer in errors
    assert words in errors[pointer]


def test_planning_leaves_the_global_generator_alone(catalogue: Catalogue) -> None:
    before = torch.get_rng_state()

    catalogue.plan(resolved(catalogue, TEXT, architecture="rnn"), some_facts(TEXT))
    shape = ImageShape(channels=1, height=8, width=8, classes=3)
    catalogue.build_model(Component(type="mlp"), shape)

    assert torch.equal(before, torch.get_rng_state())


def some_data(facts: ImageFacts) -> ImageData:
    generator = np.random.default_rng(0)
    shape = (facts.examples, facts.channels, facts.height, facts.width)
    return ImageData(
        facts=facts,
        images=generator.integers(0, 256, shape, dtype=np.uint8),
        labels=np.arange(facts.examples, dtype=np.int64) % len(facts.classes),
        test_images=None,
        test_labels=None,
    )


def a_build(catalogue: Catalogue, **fields: Any) -> tuple[JobSpec, Trainable]:
    facts = images(8).model_copy(update={"test_examples": 0})
    spec = resolved(catalogue, facts, **fields)
    return spec, catalogue.build(spec, some_data(facts))


def test_what_is_built_is_what_was_planned(catalogue: Catalogue) -> None:
    spec, built = a_build(catalogue, architecture="cnn", training={"epochs": 2})
    facts = images(8).model_copy(update={"test_examples": 0})

    plan = catalogue.plan(spec, some_facts(facts))

    assert (built.steps_per_epoch, built.steps, built.epochs) == (
        plan.steps_per_epoch,
        plan.steps,
        2,
    )
    assert sum(parameter.numel() for parameter in built.model.parameters()) == plan.parameters
    assert built.optimizer.param_groups[0]["weight_decay"] == 0.05
    assert built.optimizer.param_groups[0]["lr"] == pytest.approx(0.004 * 0.04)


def test_the_seed_alone_fixes_the_first_weights(catalogue: Catalogue) -> None:
    before = torch.get_rng_state()
    first, again, other = (
        next(a_build(catalogue, training={"seed": seed})[1].model.parameters())
        for seed in (7, 7, 8)
    )

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_a_restored_task_has_the_shape_it_was_prepared_with(catalogue: Catalogue) -> None:
    spec, built = a_build(catalogue)

    task = catalogue.restore(spec.task, built.task.preparation())

    assert task.shape == built.task.shape


THIRD_PARTY = '''
from typing import Literal
from torch import nn
from service.architectures.base import Architecture, ArchitectureConfig, Recipe
from service.domain.components import Component


class PlainConfig(ArchitectureConfig, frozen=True):
    """Options of a linear classifier."""

    type: Literal["plain"] = "plain"
    bias: bool = True


def build(config, shape):
    pixels = shape.channels * shape.height * shape.width
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, shape.classes, bias=config.bias))


PLAIN = Architecture(
    config=PlainConfig,
    build=build,
    fits=("images",),
    recipe=Recipe(
        optimizer=Component(type="sgd"), schedule=Component(type="constant"), epochs=3, batch_size=8
    ),
    summary="A linear classifier.",
    example={"dataset": "digits", "architecture": "plain"},
)
'''


@pytest.mark.parametrize("target", ["their_plain", "their_plain:PLAIN"])
def test_another_packages_architecture_is_found_by_its_entry_point(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_plain.py").write_text(THIRD_PARTY)
    information = tmp_path / "their_plain-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: their-plain\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(f"[trainyard.architectures]\nplain = {target}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "their_plain", raising=False)

    catalogue = Catalogue.installed()
    spec = resolved(catalogue, images(8), architecture={"type": "plain", "bias": False})

    assert "architecture:plain" in catalogue.components()
    assert spec.training.epochs == 3
    assert catalogue.plan(spec, some_facts(images(8))).parameters == 640
    assert errors_of(catalogue, images(8), architecture={"type": "plain", "biass": 1})


@pytest.mark.parametrize(
    ("target", "task"), [(None, "regression"), ("hour", "regression"), ("sky", "classification")]
)
def test_the_target_of_a_table_tells_the_task(
    catalogue: Catalogue, target: str | None, task: str
) -> None:
    dataset = {"name": "some", **({} if target is None else {"target": target})}
    assert resolved(catalogue, a_table().facts, dataset=dataset).task == task
