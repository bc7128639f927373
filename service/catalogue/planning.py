"""What a job would cost: counted where it can be counted on shapes alone, guessed where not."""

import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from service.catalogue.discovery import Installed
from service.catalogue.resolving import (
    build_on_meta,
    parameter_count,
    read_config,
    task_options,
)
from service.datasets.tokenizers import TOKENS_PER_WORD, TokenizerName
from service.domain.datasets import AnyFacts, DatasetFacts, LabelledTextFacts, TextFacts
from service.domain.jobs import JobSpec, Plan
from service.domain.shapes import Shape
from service.optimizers.base import OptimizerConfig

_FLOPS_PER_SECOND = 2e11  # two cores in float32, as convolutions and products really reach
_SECONDS_PER_OPERATION = 6e-6  # what PyTorch spends on a call, however small
_BACKWARD = 3  # forward and backward together take about three times the forward
_LONGEST_SEQUENCE = 512
_USUAL_SEQUENCE = 64


class _Cost(NamedTuple):
    flops: int
    operations: int
    activation_bytes: int


class _Count(TorchDispatchMode):
    """Counts operations, their floating-point work and the bytes they make.

    torch's own FlopCounterMode hooks every module of the process, also those predicting elsewhere.
    """

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.flops = 0
        self.operations = 0
        self.made_bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        if (formula := flop_registry.get(func._overloadpacket)) is not None:  # noqa: SLF001
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        if isinstance(result, Tensor):
            self.made_bytes += result.numel() * result.element_size()
        return result


def plan(installed: Installed, spec: JobSpec, facts: DatasetFacts) -> Plan:
    """Say what a resolved job would do, without its data."""
    task = installed.tasks[spec.task]
    options = task_options(task, spec)
    shape = task.shape(facts.facts, options)
    model = build_on_meta(installed, spec.architecture, shape)
    batch_size = spec.training.batch_size
    batches = task.steps_per_epoch(facts.facts, options, batch_size)
    full_batch = installed.optimizers[spec.optimizer.type].full_batch
    steps_per_epoch = 1 if full_batch else batches
    steps = spec.training.max_steps or (spec.training.epochs or 1) * steps_per_epoch
    cost = _measure(model, shape, batch_size, _sequence_length(facts.facts, spec))
    model_bytes = _bytes_of(model)
    trained_bytes = 4 * parameter_count(model)
    state_bytes = _state_bytes(installed, spec, model)
    per_batch = _BACKWARD * (
        cost.flops / _FLOPS_PER_SECOND + cost.operations * _SECONDS_PER_OPERATION
    )
    run_batches = steps * (batches if full_batch else 1)
    epochs = math.ceil(steps / steps_per_epoch)
    return Plan(
        spec=spec,
        parameters=parameter_count(model),
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        memory_bytes=model_bytes
        + trained_bytes
        + state_bytes
        + 2 * cost.activation_bytes
        + sum(file.bytes for file in facts.files)
        + task.data_bytes(facts.facts, options),
        checkpoint_bytes=model_bytes + state_bytes,
        # Validation goes forward over what is held out: a twentieth is a fair guess.
        estimated_seconds=round(run_batches * per_batch * 1.05 + 0.02 * epochs, 2),
        warnings=_warnings(installed, spec, batches=batches, epochs=epochs),
    )


def _measure(model: nn.Module, shape: Shape, batch_size: int, length: int) -> _Cost:
    """Run the model forward on shapes alone (torch's meta device)."""
    count = _Count()
    with torch.device("meta"), torch.no_grad(), count:
        tokens = torch.zeros(batch_size, length, dtype=torch.long)
        match shape.kind:
            case "images":
                model(torch.empty(batch_size, shape.channels, shape.height, shape.width))
            case "rows":
                model(torch.zeros(batch_size, shape.numbers + len(shape.categories)))
            case "text_classes":
                model(tokens)
            case "text":
                model(tokens, model.initial_state(batch_size))  # pyright: ignore[reportCallIssue]
    return _Cost(count.flops, count.operations, count.made_bytes)


def _sequence_length(facts: AnyFacts, spec: JobSpec) -> int:
    """Guess how many tokens a row of a batch has."""
    asked = spec.dataset.options.get("sequence_length")
    longest = asked if isinstance(asked, int) else _USUAL_SEQUENCE
    tokens = _tokens_per_word(spec)
    # A padded batch is as long as its longest line or text: about twice the mean.
    if isinstance(facts, TextFacts) and facts.sequences == "lines":
        longest = min(longest, 1 + 2 * math.ceil(tokens * facts.words / max(1, facts.lines)))
    if isinstance(facts, LabelledTextFacts):
        longest = min(longest, 1 + 2 * math.ceil(tokens * facts.words / max(1, facts.examples)))
    return max(1, min(longest, _LONGEST_SEQUENCE))


def _tokens_per_word(spec: JobSpec) -> float:
    tokenizer = spec.dataset.options.get("tokenizer")
    return TOKENS_PER_WORD.get(cast("TokenizerName", tokenizer), 1.0)


def _state_bytes(installed: Installed, spec: JobSpec, model: nn.Module) -> int:
    """Count what a checkpoint holds beside the weights that are served.

    That is what the optimizer keeps for each weight, and the weights themselves if their average
    is served.
    """
    config = read_config(installed.optimizers, spec.optimizer, "/optimizer")
    slots = config.slots() if isinstance(config, OptimizerConfig) else 0
    averaged = 0 if spec.training.ema is None else _bytes_of(model)
    return 4 * parameter_count(model) * slots + averaged


def _bytes_of(model: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def _warnings(installed: Installed, spec: JobSpec, *, batches: int, epochs: int) -> list[str]:
    full_batch = installed.optimizers[spec.optimizer.type].full_batch
    goes_by_length = installed.schedules[spec.schedule.type].watch is None
    warnings: list[str] = []
    if full_batch:
        warnings.append(
            f"{spec.optimizer.type} takes one step an epoch, so this is {epochs} steps in all; "
            "sgd takes one a batch"
        )
    if not full_batch and batches == 1:
        warnings.append("one batch holds all training data; a smaller batch_size gives more steps")
    stopping = spec.training.early_stopping is not None
    if stopping and goes_by_length and spec.schedule.type != "constant":
        warnings.append(
            f"the {spec.schedule.type} schedule is laid out over the whole length; "
            "early stopping may end it before lr has come down"
        )
    if spec.training.max_seconds is not None:
        warnings.append("how far max_seconds gets depends on the machine: such runs differ")
    return warnings
