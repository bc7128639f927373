"""The learning rate of an optimizer that is named without one: it suits the architecture."""

from dataclasses import replace
from typing import Any, Literal

import pytest

from service.catalogue import Catalogue
from service.catalogue.discovery import discover
from service.domain.components import ComponentConfig
from service.domain.jobs import Job
from service.optimizers.base import OptimizerKind
from service.store.engine import Database
from tests.api.workshop import Workshop
from tests.test_catalogue import TEXT, images, resolved

RATES = {"sgd": 0.03, "adamw": 7.0, "rateless": 0.5}


class RatelessConfig(ComponentConfig, frozen=True):
    """Options of an optimizer of another package, which has no lr."""

    type: Literal["rateless"] = "rateless"
    speed: int = 3


def _build(config: RatelessConfig, groups: Any) -> Any:
    raise NotImplementedError


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """What is installed, with rates for the images of an mlp, and an optimizer from elsewhere."""
    installed = discover()
    mlp, rnn = installed.architectures["mlp"], installed.architectures["rnn"]
    architectures = {
        "mlp": replace(mlp, recipe=replace(mlp.recipe, rates=RATES)),
        "rnn": replace(rnn, recipe=replace(rnn.recipe, rates={"sgd": 0.4, "adam": 0.02})),
        "cnn": replace(
            installed.architectures["cnn"],
            recipe=replace(installed.architectures["cnn"].recipe, rates={}),
        ),
        "transformer": installed.architectures["transformer"],
    }
    rateless = OptimizerKind(config=RatelessConfig, build=_build, summary="Has no lr.")
    optimizers = {**installed.optimizers, "rateless": rateless}
    return Catalogue(replace(installed, architectures=architectures, optimizers=optimizers))


def options(catalogue: Catalogue, optimizer: Any, **fields: Any) -> dict[str, Any]:
    return resolved(catalogue, images(), optimizer=optimizer, **fields).optimizer.options()


@pytest.mark.parametrize(
    "bare", ["sgd", {"type": "sgd"}, {"type": "sgd", "momentum": 0.9, "weight_decay": 0.0}]
)
def test_an_optimizer_without_lr_gets_the_one_that_suits(catalogue: Catalogue, bare: Any) -> None:
    assert options(catalogue, bare)["lr"] == 0.03


@pytest.mark.parametrize("lr", [0.1, 0.03, 2.0])
def test_an_lr_that_was_given_wins_also_if_it_is_the_default(
    catalogue: Catalogue, lr: float
) -> None:
    assert options(catalogue, {"type": "sgd", "lr": lr})["lr"] == lr


def test_the_recipes_own_optimizer_has_the_recipes_lr_and_no_other_option_of_it(
    catalogue: Catalogue,
) -> None:
    named, left_out = options(catalogue, "adamw"), options(catalogue, None)

    assert (named["lr"], left_out["lr"]) == (0.002, 0.002)
    assert (named["weight_decay"], left_out["weight_decay"]) == (0.01, 0.05)


def test_each_rate_of_muon_is_the_recipes_where_it_is_not_given(catalogue: Catalogue) -> None:
    def rates(optimizer: Any) -> tuple[Any, Any]:
        spec = resolved(catalogue, TEXT, architecture="transformer", optimizer=optimizer)
        return spec.optimizer.options()["lr"], spec.optimizer.options()["adamw_lr"]

    own = rates(None)

    assert rates("muon") == own
    assert rates({"type": "muon", "lr": 0.5}) == (0.5, own[1])
    assert rates({"type": "muon", "adamw_lr": 0.5}) == (own[0], 0.5)


def test_what_muon_leaves_to_adamw_has_the_lr_that_suits_adamw(catalogue: Catalogue) -> None:
    assert options(catalogue, "muon")["adamw_lr"] == 0.002
    assert options(catalogue, {"type": "muon", "adamw_lr": 0.5})["adamw_lr"] == 0.5


def test_where_no_rate_is_listed_an_optimizer_has_its_own_default(catalogue: Catalogue) -> None:
    assert options(catalogue, "rmsprop")["lr"] == 0.001
    assert options(catalogue, "sgd", architecture="cnn")["lr"] == 0.1


def test_an_optimizer_that_has_no_lr_is_left_alone(catalogue: Catalogue) -> None:
    assert options(catalogue, "rateless") == {"type": "rateless", "speed": 3}


def test_a_fork_to_another_optimizer_gets_the_lr_that_suits_that_one(
    sqlite_database: Database, catalogue: Catalogue
) -> None:
    workshop = Workshop(sqlite_database, catalogue)
    parent = workshop.a_trained_job(optimizer={"type": "sgd", "lr": 0.1})

    def forked(**optimizer: Any) -> Any:
        patch = {"optimizer": optimizer, "training": {"epochs": 3}}
        fork: Job = workshop.accepted(f"/v1/jobs/{parent.id}/fork", {"patch": patch})
        return fork.spec.optimizer.options()["lr"]

    assert forked(type="adam") == 0.02
    assert forked(type="sgd", momentum=0.5) == 0.1
    assert forked(momentum=0.5) == 0.1


def test_a_plan_shows_the_lr_that_was_chosen(
    sqlite_database: Database, catalogue: Catalogue
) -> None:
    body = {"dataset": "kitchen", "architecture": "rnn", "optimizer": "adam"}

    plan = Workshop(sqlite_database, catalogue).post("/v1/jobs?validate_only=true", body).json()

    assert plan["spec"]["optimizer"]["lr"] == 0.02
