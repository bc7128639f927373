"""What a checkpoint holds: all that the rest of a run depends on, so that a resume is exact.

Two safetensors files. The weights are the state dict of the model that is served, buffers too, and
nothing else. The state is everything besides: optimizer, schedule, random generators, place in the
data, carried hidden state, memory of the best, the doctor's chart; and the weights that are
trained, where an average of them is served. The same run at the same step gives the same bytes: no
clock is in them, keys are sorted, and all JSON lies under one metadata key (safetensors writes
several in the order of a hash map). Never pickle.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from service.domain.beginnings import Part
from service.domain.environments import Environment
from service.domain.requests import Computed
from service.optimizers.plateau import MEMORY, set_rates
from service.training.average import Average
from service.training.chart import Chart
from service.training.tensor_file import TensorFile

_FORMAT = 1
_METADATA_KEY = "state"
_TRAINED = "trained/"


@dataclass(kw_only=True)
class Cursor:
    """The plain numbers of a run. `position` counts the batches of the epoch that are behind."""

    step: int = 0
    whole_epochs: int = 0
    position: int = 0
    loss_sum: float = 0.0  # of the training loss that was not reported yet, times its weight
    loss_weight: int = 0
    best: float | None = None  # by the metric that chooses the best checkpoint
    stopping_best: float | None = None  # by the metric of early stopping
    epochs_without_improvement: int = 0

    @property
    def epoch(self) -> int:
        """The epoch in which the last step was, the first being 1; 0 before the first step."""
        return self.whole_epochs + (1 if self.position else 0)

    def advance(self, batches: int, batches_per_epoch: int) -> None:
        """Count one step that took so many batches."""
        self.step += 1
        self.position += batches
        if self.position == batches_per_epoch:
            self.whole_epochs, self.position = self.whole_epochs + 1, 0


@dataclass(kw_only=True)
class TrainingState:
    """Everything that training changes. `carry` is the hidden state between two batches.

    With an `average` of the model's weights, that is what validates and is served.
    """

    model: nn.Module
    optimizer: Optimizer
    schedule: LambdaLR
    device: torch.device
    environment: Environment
    precision: Computed = "float32"
    cursor: Cursor = field(default_factory=Cursor)
    chart: Chart = field(default_factory=Chart)
    carry: Tensor | None = None
    average: Average | None = None

    @property
    def served(self) -> nn.Module:
        """The model that is validated and kept."""
        return self.model if self.average is None else self.average.model


def restore_weights(model: nn.Module, weights: bytes) -> None:
    """Read a file of weights; parameters keep their device and memory format."""
    model.load_state_dict(load(weights))


def place_optimizer(optimizer: Optimizer) -> None:
    """Put what an optimizer keeps from the first (Adagrad does) where its parameters are."""
    tensors, content = _flatten_optimizer(optimizer)
    if tensors:
        _restore_optimizer(optimizer, content, tensors)


def capture(state: TrainingState) -> tuple[TensorFile, TensorFile]:
    """Return (weights, state): with both, `restore` goes on as if nothing had happened.

    Nothing is copied: they must be written before the training goes on.
    """
    optimizer_tensors, optimizer_json = _flatten_optimizer(state.optimizer)
    schedule = {k: v for k, v in state.schedule.state_dict().items() if k != "lr_lambdas"}
    tensors = {**optimizer_tensors, **_random_states(state.device)}
    if state.carry is not None:
        tensors["carry"] = state.carry
    if state.average is not None:
        tensors |= {f"{_TRAINED}{name}": each for name, each in state.model.state_dict().items()}
    header = {
        "format": _FORMAT,
        "cursor": asdict(state.cursor),
        "chart": asdict(state.chart),
        "optimizer": optimizer_json,
        "schedule": schedule,
        "environment": state.environment,
    }
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return TensorFile(state.served.state_dict()), TensorFile(tensors, {_METADATA_KEY: text})


def restore(state: TrainingState, weights: bytes, content: bytes) -> Environment:
    """Put a captured state in place of `state`; return the environment it was captured in.

    Also sets the global random generators: call it last, just before training goes on.
    """
    header, tensors = read_header(content), load(content)
    restore_weights(state.served, weights)
    _restore_trained(state, tensors)
    _restore_optimizer(state.optimizer, header["optimizer"], tensors)
    unchanged: list[None] = [None] * len(state.schedule.base_lrs)
    state.schedule.load_state_dict({**header["schedule"], "lr_lambdas": unchanged})
    state.cursor = Cursor(**header["cursor"])
    state.chart = Chart(**header.get("chart", {}))  # earlier checkpoints have none
    carry = tensors.get("carry")
    state.carry = None if carry is None else own(carry.to(state.device))
    _restore_random_states(tensors, state.device)
    return header["environment"]


def restore_kept(state: TrainingState, content: bytes, keeps: Collection[Part]) -> None:
    """Put only some parts of a captured state in place of `state`; its weights are there already.

    Options of the optimizer and the learning rate are those of `state`: a schedule is a function of
    the step. Where all is kept and no option differs, this is `restore`.
    """
    header, tensors = read_header(content), load(content)
    if "optimizer" in keeps:
        groups: list[dict[str, Any]] = [{} for _ in state.optimizer.param_groups]
        _restore_optimizer(state.optimizer, {**header["optimizer"], "groups": groups}, tensors)
    if "position" not in keeps:
        return
    cursor = Cursor(**header["cursor"])
    fresh = Cursor()
    if "best" not in keeps:
        cursor.best = fresh.best
    if "early_stopping" not in keeps:
        cursor.stopping_best = fresh.stopping_best
        cursor.epochs_without_improvement = fresh.epochs_without_improvement
    state.cursor = cursor
    if "weights" in keeps:
        _restore_trained(state, tensors)
        state.chart = Chart(**header.get("chart", {}))
    carry = tensors.get("carry") if "weights" in keeps else None
    state.carry = None if carry is None else own(carry.to(state.device))
    _move_schedule(state.schedule, header["schedule"], remembers="schedule" in keeps)
    _restore_random_states(tensors, state.device)


def _restore_trained(state: TrainingState, tensors: dict[str, Tensor]) -> None:
    """Put trained weights beside their average, if there is one and they were kept."""
    kept = {
        name.removeprefix(_TRAINED): each
        for name, each in tensors.items()
        if name.startswith(_TRAINED)
    }
    if state.average is not None and kept:
        state.model.load_state_dict(kept)


def _move_schedule(schedule: LambdaLR, saved: dict[str, Any], *, remembers: bool) -> None:
    """Let a schedule go on at the saved step, with the learning rates that it gives itself."""
    own_values = schedule.state_dict()
    fresh = {"base_lrs", *(() if remembers else MEMORY)}
    moved = {
        name: saved.get(name, value) for name, value in own_values.items() if name not in fresh
    }
    schedule.load_state_dict({**own_values, **moved, "lr_lambdas": own_values["lr_lambdas"]})
    set_rates(schedule)


def holds_carry(content: bytes) -> bool:
    """Tell whether a captured state has a hidden state between two batches."""
    length = int.from_bytes(content[:8], "little")
    return "carry" in json.loads(content[8 : 8 + length])


def own(tensor: Tensor) -> Tensor:
    """Copy a tensor, row by row, to memory of its own.

    What was read from a file lies at any address, what was computed may be a part of something
    larger; vector instructions and products of matrices begin elsewhere then, and add up otherwise.
    """
    return tensor.clone(memory_format=torch.contiguous_format)


def read_header(content: bytes) -> dict[str, Any]:
    """Return the JSON part of a captured state (safetensors: length, JSON header, tensors)."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_METADATA_KEY])


def _flatten_optimizer(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split an optimizer's state into tensors, named `optimizer/<parameter>/<key>`, and JSON."""
    content = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, dict[str, Any]] = {}
    for parameter, values in content["state"].items():
        scalars[str(parameter)] = {}
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{parameter}/{key}"] = value
            else:
                scalars[str(parameter)][key] = value
    groups = [{k: v for k, v in g.items() if k != "params"} for g in content["param_groups"]]
    return tensors, {"state": scalars, "groups": groups}


def _restore_optimizer(
    optimizer: Optimizer, saved: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in saved["state"].items()}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "optimizer":
            index, _, key = rest.partition("/")
            state[int(index)][key] = _like(tensor, parameters[int(index)])
    groups: list[dict[str, Any]] = []
    current = optimizer.state_dict()["param_groups"]
    for now, then in zip(current, saved["groups"], strict=True):
        groups.append({**now, **{key: _untied(value) for key, value in then.items()}})
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Give a tensor of a parameter's shape its layout too: kernels add up in memory order."""
    if tensor.shape != parameter.shape:
        return own(tensor)
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _untied(value: Any) -> Any:
    """Undo what JSON does to an option: it has no tuples, optimizers have no lists (betas)."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _random_states(device: torch.device) -> dict[str, Tensor]:
    states = {"random/cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random/cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["random/mps"] = torch.mps.get_rng_state()
    return states


def _restore_random_states(tensors: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(tensors["random/cpu"])
    if device.type == "cuda" and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"], device)
    if device.type == "mps" and "random/mps" in tensors:
        torch.mps.set_rng_state(tensors["random/mps"])
