"""What of a machine changes the bits of a run: written into every checkpoint, compared on resume.

A worker reports what it offers in the words of `needs`, beside its components, so that the queue
finds the machine on which a job goes on exactly.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import JsonValue

Environment = dict[str, str | int]
"""device, threads, precision, memory_format, torch, cpu_capability."""

BFLOAT16 = "precision:bfloat16"
"""What a worker offers whose preferred device can multiply in bfloat16."""

_NEEDED = {"torch": "torch", "cpu": "cpu_capability", "device": "device", "threads": "threads"}


class Difference(NamedTuple):
    """One thing that is not as it was; None is what one of the two does not name."""

    name: str
    was: JsonValue
    now: JsonValue


def differences(was: Environment, now: Environment) -> list[Difference]:
    """List all that differs."""
    names = sorted({*was, *now})
    each = [Difference(name, was.get(name), now.get(name)) for name in names]
    return [one for one in each if one.was != one.now]


def as_json(differs: Iterable[Difference]) -> dict[str, JsonValue]:
    """Write differences as events show them: `{name: {"was": …, "is": …}}`."""
    return {each.name: {"was": each.was, "is": each.now} for each in differs}


def in_words(differs: Iterable[Difference]) -> str:
    """Write differences as people read them: `threads was 2 and is 1, torch was …`."""
    return ", ".join(f"{each.name} was {each.was} and is {each.now}" for each in differs)


def needs(environment: Environment) -> list[str]:
    """Name what a worker must offer to go on with the same bits: `threads:2`, `cpu:AVX2`, ….

    Precision and memory format are every worker's to choose.
    """
    return [f"{name}:{environment[key]}" for name, key in _NEEDED.items() if environment.get(key)]


def offers(*, torch: str, cpu_capability: str, devices: list[str], bfloat16: bool) -> list[str]:
    """Name what a machine offers, but its threads."""
    named = [f"torch:{torch}", f"cpu:{cpu_capability}", *(f"device:{name}" for name in devices)]
    return [*named, BFLOAT16] if bfloat16 else named


def offers_threads(threads: int) -> list[str]:
    """Name every number of threads that a job may use where there are so many."""
    return [f"threads:{number}" for number in range(1, threads + 1)]
