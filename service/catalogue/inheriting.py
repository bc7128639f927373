"""Weights of one model for another: which tensors fit, and whose rows stand for which word.

Which dimensions of a tensor count words or classes needs no rule per architecture: of a model built
for one name more, exactly these grow. Rows of names that both know are taken over, new names keep
their fresh values, forgotten ones go.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from safetensors.torch import load
from torch import Tensor

from service.catalogue.building import Trainable
from service.catalogue.discovery import Installed
from service.catalogue.resolving import build_on_meta
from service.domain.components import Component
from service.domain.problems import Invalid
from service.domain.shapes import Shape

Layout = Mapping[str, tuple[int, ...]]
"""Tensor → its sizes; a dimension that counts names is NAMED, one mixed with others MIXED."""

NAMED = -1
MIXED = -2
_PROBE = 7919  # names; a prime that no other size of a model is likely to have


class Inheritance(NamedTuple):
    """What became of the old weights: names by their fate, and the tensors that are fresh."""

    taken: int
    fresh: int
    forgotten: int
    fresh_tensors: list[str]


def layout(installed: Installed, architecture: Component, shape: Shape) -> Layout:
    """Describe the tensors of a model without building it, whatever its number of names."""
    here, there = (
        {
            name: tuple(tensor.shape)
            for name, tensor in build_on_meta(installed, architecture, shape.with_names(count))
            .state_dict()
            .items()
        }
        for count in (_PROBE, _PROBE + 1)
    )
    return {name: tuple(map(_dimension, here[name], there[name])) for name in here}


def unfit(old: Layout, new: Layout, *, same_names: bool) -> list[str]:
    """Name the tensors of the new model for which the old one has nothing."""
    return [
        name
        for name, sizes in new.items()
        if old.get(name) != sizes or (MIXED in sizes and not same_names)
    ]


def options_that_differ(
    installed: Installed, old: Component, new: Component, shape: Shape
) -> list[str]:
    """Name the options, other than the type, that alone make tensors of another shape."""
    before, after = old.options(), new.options()
    whole = layout(installed, old, shape)
    found: list[str] = []
    for option in sorted(before.keys() | after.keys()):
        if before.get(option) == after.get(option):
            continue
        changed = Component.model_validate({**before, option: after.get(option)})
        try:
            fits = not unfit(whole, layout(installed, changed, shape), same_names=True)
        except Invalid:  # it only goes together with others
            fits = False
        if not fits:
            found.append(option)
    return found


def inherit(
    installed: Installed,
    trainable: Trainable,
    architecture: Component,
    *,
    trained_as: Component,
    weights: bytes,
    preparation: bytes,
    task: str,
) -> Inheritance:
    """Put into a new model what fits of old weights, whose task had this preparation."""
    before = installed.tasks[task].restore(preparation)
    old_names, new_names = before.names, trainable.task.names
    same_names = list(old_names) == list(new_names)
    new = layout(installed, architecture, trainable.task.shape)
    fresh = set(unfit(layout(installed, trained_as, before.shape), new, same_names=same_names))
    rows = _rows(old_names, new_names)
    old_tensors = load(weights)
    tensors = trainable.model.state_dict()
    for name in tensors.keys() - fresh:
        old = old_tensors[name].to(tensors[name].dtype)
        named = [d for d, size in enumerate(new[name]) if size == NAMED and not same_names]
        tensors[name].copy_(_merged(tensors[name], old, named, rows))
    taken = len(rows[0])
    return Inheritance(taken, len(new_names) - taken, len(old_names) - taken, sorted(fresh))


def _dimension(here: int, there: int) -> int:
    if here == there:
        return here
    return NAMED if (here, there) == (_PROBE, _PROBE + 1) else MIXED


def _rows(old: Sequence[str], new: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return places in the new and in the old names of those that both have."""
    places = {name: place for place, name in enumerate(old)}
    both = [(place, places[name]) for place, name in enumerate(new) if name in places]
    return (
        torch.tensor([place for place, _ in both], dtype=torch.int64),
        torch.tensor([place for _, place in both], dtype=torch.int64),
    )


def _merged(new: Tensor, old: Tensor, named: Sequence[int], rows: tuple[Tensor, Tensor]) -> Tensor:
    """Return `new` with the rows of `old` in the place of their names, in every named dimension."""
    if not named:
        return old
    first, *others = named
    to, source = rows
    part = _merged(new.index_select(first, to), old.index_select(first, source), others, rows)
    return new.clone().index_copy_(first, to, part)
