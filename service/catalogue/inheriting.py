"""Weights of one model for another: which tensors fit, and whose rows stand for which word.

Which dimensions of a tensor count words, and which classes, needs no rule per architecture: of a
model built for one name more on that axis, exactly these grow. Rows of names that both know are
taken over, new names keep their fresh values, forgotten ones go. Nothing goes by its place.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from safetensors.torch import load
from torch import Tensor

from service.catalogue.building import Trainable
from service.catalogue.discovery import Installed
from service.catalogue.resolving import build_on_meta
from service.domain.components import Component
from service.domain.problems import Invalid
from service.domain.shapes import Axis, Shape

Dimension = int | Axis | Literal["mixed"]
Layout = Mapping[str, tuple[Dimension, ...]]
"""Tensor → its sizes; a dimension that counts names is their axis, one mixed with others MIXED."""

Names = Mapping[Axis, Sequence[str]]
MIXED: Literal["mixed"] = "mixed"
_PROBE = 7919  # names; a prime that no other size of a model is likely to have


class Inheritance(NamedTuple):
    """What became of the old weights: names by their fate, and the tensors that are fresh."""

    taken: int
    fresh: int
    forgotten: int
    fresh_tensors: list[str]


def layout(installed: Installed, architecture: Component, shape: Shape) -> Layout:
    """Describe the tensors of a model without building it, whatever its numbers of names."""
    for axis in shape.axes:
        shape = shape.with_names(axis, _PROBE)
    here = _sizes(installed, architecture, shape)
    found: dict[str, tuple[Dimension, ...]] = {**here}
    for axis in shape.axes:
        there = _sizes(installed, architecture, shape.with_names(axis, _PROBE + 1))
        for name, sizes in here.items():
            grown = zip(found[name], sizes, there[name], strict=True)
            found[name] = tuple(_dimension(axis, *each) for each in grown)
    return found


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
    axes: list[Axis] = list(dict.fromkeys([*old_names, *new_names]))
    # Where all names stand as they stood, there is nothing to move.
    moved = [axis for axis in axes if _on(axis, old_names) != _on(axis, new_names)]
    new = layout(installed, architecture, trainable.task.shape)
    fresh = set(unfit(layout(installed, trained_as, before.shape), new, same_names=not moved))
    rows = {axis: _rows(_on(axis, old_names), _on(axis, new_names)) for axis in axes}
    old_tensors = load(weights)
    tensors = trainable.model.state_dict()
    for name in tensors.keys() - fresh:
        old = old_tensors[name].to(tensors[name].dtype)
        named = [(d, rows[size]) for d, size in enumerate(new[name]) if size in moved]
        tensors[name].copy_(_merged(tensors[name], old, named))
    taken = sum(len(to) for to, _ in rows.values())
    old_count, new_count = (sum(map(len, names.values())) for names in (old_names, new_names))
    return Inheritance(taken, new_count - taken, old_count - taken, sorted(fresh))


def _sizes(
    installed: Installed, architecture: Component, shape: Shape
) -> dict[str, tuple[int, ...]]:
    tensors = build_on_meta(installed, architecture, shape).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _dimension(axis: Axis, found: Dimension, here: int, there: int) -> Dimension:
    if here == there:
        return found
    alone = isinstance(found, int) and (here, there) == (_PROBE, _PROBE + 1)
    return axis if alone else MIXED


def _on(axis: Axis, names: Names) -> list[str]:
    return list(names.get(axis, ()))


def _rows(old: Sequence[str], new: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return places in the new and in the old names of those that both have."""
    places = {name: place for place, name in enumerate(old)}
    both = [(place, places[name]) for place, name in enumerate(new) if name in places]
    return (
        torch.tensor([place for place, _ in both], dtype=torch.int64),
        torch.tensor([place for _, place in both], dtype=torch.int64),
    )


def _merged(new: Tensor, old: Tensor, named: Sequence[tuple[int, tuple[Tensor, Tensor]]]) -> Tensor:
    """Return `new` with the rows of `old` in the place of their names, in every named dimension.

    With each dimension come the places in the new and in the old names.
    """
    if not named:
        return old
    (first, (to, source)), *others = named
    part = _merged(new.index_select(first, to), old.index_select(first, source), others)
    return new.clone().index_copy_(first, to, part)
