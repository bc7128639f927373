"""What a word LSTM has learned after equal time: PyTorch's word_language_model example and ours.

Both have 2 × 200 units, batches of 20 rows, windows of 35 words, dropout 0.2, SGD with lr 20 and
clipping at 0.25, on a text of encyclopedia articles (WikiText-2, valid); the example divides lr by
4 where validation did not improve, as it does. Ours takes the precision that suits, and its
network and loss; its steps are so many as fit into the same time. Validation is not in the time of
either.

    python -m benchmarks.lstm_quality [--epochs 4] [--threads 2]
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from benchmarks.measuring import Silent, resolve, running_text
from benchmarks.training import ROWS, WIDTH, WINDOW, Example
from service.catalogue import Catalogue, Trainable
from service.datasets.base import Data
from service.datasets.words import END_INDEX
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from service.tasks.base import Examples
from service.tasks.sequences import StreamExamples
from service.training.loop import train
from service.training.validation import evaluate

TEXT = Path(__file__).parents[2] / "shared" / "data" / "text" / "wikitext-2-valid.txt"
LR, CLIP, TRIAL = 20.0, 0.25, 20
Hidden = tuple[Tensor, Tensor]


class Outcome(NamedTuple):
    """How long it trained, how many steps, and the perplexity of words it had not seen."""

    seconds: float
    steps: int
    perplexity: float


def main() -> None:
    """Train one after the other, and print what both came to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epochs", type=int, default=4, help="of the example")
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    if not TEXT.exists():
        print(f"skipped, {TEXT.name} is not here")
        return
    facts, data = running_text("articles", TEXT.read_bytes())
    public = example(Catalogue.installed().build(_spec(facts, 1), data), given.epochs)
    own = ours(facts, data, public.seconds)
    print("| recipe | s | steps | validation perplexity | ratio |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, (seconds, steps, perplexity) in (("word_language_model", public), ("ours", own)):
        ratio = perplexity / public.perplexity
        print(f"| {name} | {seconds:.1f} | {steps} | {perplexity:.0f} | {ratio:.2f} |")


def example(trainable: Trainable, epochs: int) -> Outcome:
    """Train as main.py of the example does."""
    torch.manual_seed(1111)
    network = Example(len(trainable.task.names["words"]))
    lr, best, seconds = LR, float("inf"), 0.0
    for _ in range(epochs):
        began = time.perf_counter()
        _pass(network, trainable.train, lr)
        seconds += time.perf_counter() - began
        loss = _validated(network, trainable.validation)
        if loss < best:
            best = loss
        else:
            lr /= 4
    steps = epochs * trainable.train.steps_per_epoch(ROWS)
    return Outcome(seconds, steps, torch.tensor(best).exp().item())


def ours(facts: DatasetFacts, data: Data, seconds: float) -> Outcome:
    """Train as the service does, for about so long."""
    first, more = (_run(facts, data, steps)[1] for steps in (TRIAL, 2 * TRIAL))
    steps = max(1, round(seconds * TRIAL / (more - first)))
    trainable, took = _run(facts, data, steps)
    found = evaluate(trainable.model, trainable.task, trainable.validation, batch_size=ROWS, seed=0)
    return Outcome(took, steps, found["val_perplexity"])


def _pass(network: Example, examples: Examples, lr: float) -> None:
    network.train()
    hidden = _nothing_read()
    for position in range(examples.steps_per_epoch(ROWS)):
        batch = examples.batch(epoch=0, position=position, batch_size=ROWS, seed=0)
        network.zero_grad()
        output, hidden = network(batch.inputs.t(), (hidden[0].detach(), hidden[1].detach()))
        functional.nll_loss(output, batch.targets.t().reshape(-1)).backward()
        clip_grad_norm_(network.parameters(), CLIP)
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter.data.add_(parameter.grad, alpha=-lr)


def _validated(network: Example, examples: Examples) -> float:
    network.eval()
    total, count, hidden = 0.0, 0, _nothing_read()
    with torch.inference_mode():
        for batch in examples.in_order(ROWS):
            output, hidden = network(batch.inputs.t(), hidden)
            expected = batch.targets.t().reshape(-1)
            total += functional.nll_loss(output, expected, reduction="sum").item()
            count += batch.weight
    return total / count


def _nothing_read() -> Hidden:
    return torch.zeros(2, ROWS, WIDTH), torch.zeros(2, ROWS, WIDTH)


def _spec(facts: DatasetFacts, steps: int) -> JobSpec:
    return resolve(
        facts,
        dataset={"name": facts.name, "sequence_length": WINDOW},
        architecture={
            "type": "lstm",
            "embedding_size": WIDTH,
            "hidden_size": WIDTH,
            "layers": 2,
            "dropout": 0.2,
        },
        optimizer={"type": "sgd", "lr": LR, "momentum": 0.0},
        schedule={"type": "linear"},
        training={
            "max_steps": steps,
            "batch_size": ROWS,
            "gradient_clip": CLIP,
            "device": "cpu",
            "precision": "auto",
        },
    )


def _run(facts: DatasetFacts, data: Data, steps: int) -> tuple[Trainable, float]:
    trainable = Catalogue.installed().build(_spec(facts, steps), data)
    assert isinstance(trainable.validation, StreamExamples)
    few = trainable.validation.targets[: ROWS * WINDOW].numpy()
    timed = trainable._replace(
        validation=StreamExamples(few, first_input=END_INDEX, sequence_length=WINDOW)
    )
    began = time.perf_counter()
    train(timed, _spec(facts, steps), Silent(), device=torch.device("cpu"))
    return trainable, time.perf_counter() - began
