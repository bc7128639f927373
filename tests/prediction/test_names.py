"""Names are remembered for a moment, and looked up again by one for all."""

from service.domain.components import Component
from service.domain.models import Servable
from service.prediction.names import FRESH_SECONDS, KEPT_NAMES, VALID_SECONDS, Names


def a_servable(version: int = 1) -> Servable:
    return Servable(
        model="eating",
        version=version,
        checkpoint=None,
        task="next_word",
        architecture=Component.model_validate({"type": "rnn"}),
        dataset="eating",
        weights_sha256="w",
        weights_bytes=1,
        preparation_sha256="p",
    )


def test_a_name_is_known_for_a_moment_only() -> None:
    names = Names()
    names.put("eating", a_servable(), now=10.0)

    assert names.find("eating", now=10.0 + VALID_SECONDS) == a_servable()
    assert names.find("eating", now=10.0 + 1.1 * VALID_SECONDS) is None


def test_one_looks_again_for_all_and_only_when_it_is_time() -> None:
    names = Names()
    names.put("eating", a_servable(), now=10.0)
    due = 10.0 + 1.1 * FRESH_SECONDS

    assert not names.begin_look("eating", now=10.0)
    assert names.begin_look("eating", now=due)
    assert not names.begin_look("eating", now=due)
    names.end_look("eating")
    assert names.begin_look("eating", now=due)


def test_a_forgotten_name_stands_for_nothing() -> None:
    names = Names()
    names.put("eating", a_servable(), now=10.0)
    names.forget("eating")

    assert names.find("eating", now=10.0) is None
    assert names.stretch("eating", now=10.0, seen_after=0.0) is None


def test_while_nobody_can_look_what_was_seen_lately_holds() -> None:
    names = Names()
    names.put("eating", a_servable(), now=10.0)

    assert names.stretch("eating", now=60.0, seen_after=9.0) == a_servable()
    assert names.find("eating", now=60.0) == a_servable()
    assert names.stretch("eating", now=70.0, seen_after=11.0) is None  # seen at 10, whenever used


def test_names_do_not_pile_up() -> None:
    names = Names()
    for number in range(KEPT_NAMES + 1):
        names.put(f"model-{number}", a_servable(), now=10.0)

    assert names.find("model-0", now=10.0) is None
    assert names.find("model-1", now=10.0) == a_servable()
