"""Which learning rate suits an architecture with each optimizer: `rates` of its recipes.

Short runs of the real loop on small real data, with the recipe's schedule, batch size and gradient
clip, seed 0. Rates are tried in half decades from the optimizer's default, outwards until it gets
worse. Chosen is the largest whose loss is within three per cent of the least, of those where the
next larger one still learns: a client's data are others. What was tried goes to stderr.

    python benchmarks/rates.py [rnn transformer …] [--optimizer sgd …]
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import argparse
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise
from typing import Any

import torch

from benchmarks.measuring import MemoryBlobs, Silent
from service.catalogue import Catalogue
from service.catalogue.discovery import discover
from service.datasets import registry
from service.datasets.base import Data
from service.domain.datasets import DatasetFacts
from service.tasks.base import Prepared, TaskKind
from service.training.device import cpu_name
from service.training.failures import LossNotFinite
from service.training.loop import train
from service.training.validation import evaluate

NOISE = 1.03
STEPS_OF_GD = 20
FARTHEST = 6  # half decades from the default


@dataclass(frozen=True)
class Setting:
    """An architecture on some data; `lines`: so many of the file are enough."""

    architecture: str
    dataset: str
    epochs: int
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sizes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lines: int | None = None


_SPAM: dict[str, Any] = {"sequence_length": 48}
_SMALL: dict[str, Any] = {"hidden_size": 64, "embedding_size": 64}
_CHARACTERS: dict[str, Any] = {"tokenizer": "char"}
_NARROW: dict[str, Any] = {"layers": 2, "width": 64, "context": 64}
SETTINGS = [
    Setting("mlp", "digits", 20),
    Setting("mlp", "sms-spam", 10),
    Setting("mlp", "solar", 20),
    Setting("cnn", "fashion-mnist-mini", 4, {"height": 14, "width": 14}),
    Setting("rnn", "eating", 4, lines=6000),
    Setting("rnn", "sms-spam", 4, _SPAM, lines=2500),
    Setting("lstm", "eating", 3, sizes=_SMALL, lines=6000),
    Setting("lstm", "sms-spam", 3, _SPAM, _SMALL, lines=2500),
    Setting("gru", "eating", 3, sizes=_SMALL, lines=6000),
    Setting("gru", "sms-spam", 3, _SPAM, _SMALL, lines=2500),
    Setting("transformer", "shakespeare", 1, _CHARACTERS, _NARROW, lines=5000),
    Setting("transformer", "sms-spam", 2, _SPAM, _NARROW, lines=2500),
]


class Trials:
    """Trains a setting with one optimizer and rate after the other; the data are read once."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._facts, self._data = _load(setting)
        installed = discover()
        tasks = {name: _remembering(task) for name, task in installed.tasks.items()}
        self._catalogue = Catalogue(replace(installed, tasks=tasks))
        self.optimizers = installed.optimizers
        self.own = str(self._spec(None, 1).optimizer.type)

    def loss(self, optimizer: str, rate: float) -> float:
        """Train, and return the loss on validation data; infinity where it is not finite."""
        own = self._spec(None, 1)
        full_batch = self.optimizers[optimizer].full_batch
        epochs = min(STEPS_OF_GD, own.training.epochs or 1) if full_batch else self._setting.epochs
        spec = self._spec({"type": optimizer, "lr": rate}, epochs)
        recorder = Silent()
        try:
            trainable = self._catalogue.build(spec, self._data)
            train(trainable, spec, recorder, device=torch.device("cpu"))
        except LossNotFinite:
            return math.inf
        loss = recorder.last["val_loss"]
        return loss if math.isfinite(loss) else math.inf

    def untrained(self) -> float:
        """Return the loss of the initial weights."""
        spec = self._spec(None, 1)
        built = self._catalogue.build(spec, self._data)
        found = evaluate(built.model, built.task, built.validation, batch_size=64, seed=0)
        return found["val_loss"]

    def _spec(self, optimizer: dict[str, Any] | None, epochs: int) -> Any:
        setting = self._setting
        body: dict[str, Any] = {
            "dataset": {"name": setting.dataset, **setting.options},
            "architecture": {"type": setting.architecture, **setting.sizes},
            "optimizer": optimizer,
        }
        recipe = self._resolve(body).training
        body["training"] = {"epochs": epochs} if optimizer else {"epochs": recipe.epochs}
        return self._resolve(body)

    def _resolve(self, body: dict[str, Any]) -> Any:
        return self._catalogue.resolve(
            self._catalogue.job_request.model_validate(body), self._facts
        )


def search(trials: Trials, optimizer: str) -> dict[float, float]:
    """Try rates outwards from the default until it gets worse; return the loss of each."""
    default = float(trials.optimizers[optimizer].config.model_fields["lr"].default)
    start = round(2 * math.log10(default))
    tried: dict[int, float] = {}
    for step in (start - 1, start, start + 1):
        tried[step] = trials.loss(optimizer, _rate(step))
    while True:
        best = min(tried, key=lambda step: tried[step])
        wanted = next((step for step in (best + 1, best - 1) if step not in tried), None)
        if wanted is None or abs(wanted - start) > FARTHEST:
            break
        tried[wanted] = trials.loss(optimizer, _rate(wanted))
    return {_rate(step): tried[step] for step in sorted(tried)}


def choose(tried: Mapping[float, float], untrained: float) -> float:
    """Choose the largest rate that is as good as the best, if the next still learns."""
    least = min(tried.values())
    pairs = list(pairwise([*tried.items(), (math.inf, math.inf)]))
    safe = {rate: loss for (rate, loss), (_, following) in pairs if following < untrained}
    good = [rate for rate, loss in safe.items() if loss <= NOISE * least]
    return max(good) if good else min(safe, key=lambda rate: safe[rate])


def main() -> None:
    """Print what was chosen, and in brackets the loss it came to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("architectures", nargs="*")
    options.add_argument("--optimizer", action="append", help="only these")
    given = options.parse_args()
    wanted, only = given.architectures, given.optimizer
    torch.set_num_threads(1)
    print(f"{datetime.now(UTC).date()}, {cpu_name()}, torch {torch.__version__}, one thread\n")
    columns = list(discover().optimizers)
    print(f"| | {' | '.join(f'`{name}`' for name in columns)} |\n| ---{' | ---' * len(columns)} |")
    for setting in SETTINGS:
        if wanted and setting.architecture not in wanted:
            continue
        trials = Trials(setting)
        untrained = trials.untrained()
        cells: list[str] = []
        for optimizer in columns:
            if optimizer == trials.own or (only and optimizer not in only):
                cells.append("")
                continue
            tried = search(trials, optimizer)
            chosen = choose(tried, untrained)
            losses = ", ".join(f"{rate:g}: {loss:.3g}" for rate, loss in tried.items())
            print(
                f"{setting.architecture} {setting.dataset} {optimizer}: {losses}", file=sys.stderr
            )
            cells.append(f"{chosen:g} ({tried[chosen]:.3g})")
        name = f"`{setting.architecture}`, {setting.dataset} ({untrained:.3g})"
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _rate(step: int) -> float:
    """Return 1 or 3 times a power of ten."""
    return float(f"{(3 if step % 2 else 1) * 10.0 ** (step // 2):.1g}")


def _load(setting: Setting) -> tuple[DatasetFacts, Data]:
    blobs = MemoryBlobs()
    built_in = registry.built_ins()[setting.dataset]
    files = dict(built_in.files())
    if setting.lines is not None:
        files["file"] = b"".join(files["file"].splitlines(keepends=True)[: setting.lines])
    opened = {role: BytesIO(content) for role, content in files.items()}
    new = registry.take_in(built_in.spec, opened, blobs)
    facts = DatasetFacts(
        id="ds_benchmark", name=new.name, sha256=new.sha256, facts=new.facts, files=new.files
    )
    return facts, registry.load(facts, blobs)


def _remembering(task: TaskKind[Any]) -> TaskKind[Any]:
    """Let a task prepare the same data once."""
    known: dict[str, Prepared] = {}

    def prepare(data: Data, options: Any) -> Prepared:
        key = str(options.model_dump_json())
        if key not in known:
            known[key] = task.prepare(data, options)
        return known[key]

    return replace(task, prepare=prepare)


if __name__ == "__main__":
    main()
