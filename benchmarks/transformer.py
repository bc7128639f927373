"""nanoGPT's recipe for a CPU against our Transformer with its defaults, at equal wall clock.

Both learn the characters of a play (tinyshakespeare) from the same tokens, and both are timed
without validation; ours is the whole loop, with its reports and finite checks. How many steps it
has is found out by two short runs before. Loss is told for windows that stand alone, as nanoGPT
tells it (each as long as a model sees, and of 64 characters for both), and as the service tells it:
with the text before a window as its context.

    python -m benchmarks.transformer [--rounds 1] [--iterations 2000] [--threads 2]
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import argparse
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.measuring import Silent, resolve, running_text
from service.architectures.base import SequenceModel
from service.catalogue import Catalogue, Trainable
from service.datasets.base import Data
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from service.domain.requests import Precision
from service.tasks.base import Examples
from service.tasks.sequences import LineExamples, StreamExamples
from service.training.loop import train
from service.training.validation import evaluate

PLAY = Path(__file__).parents[2] / "shared" / "data" / "text" / "tinyshakespeare.txt"
LAYERS, HEADS, WIDTH, BLOCK, BATCH = 4, 4, 128, 64, 12  # nanoGPT, README, "I only have a macbook"
WARM_UP, SHORT, LONGER = 100, 20, 80

Model = Callable[[Tensor], Tensor]


class Outcome(NamedTuple):
    """What a recipe reached: loss over windows alone, of its own length and of the baseline's."""

    seconds: float
    steps: int
    tokens: int
    alone: float
    alone_64: float
    told: float | None = None


class Gpt(nn.Module):
    """GPT-2 as nanoGPT builds it, without biases; tokens (batch, time) → logits."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(BLOCK, WIDTH)
        self.layers = nn.ModuleList(GptLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                last = name.endswith(("found.weight", "out.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS) if last else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (batch, time, vocabulary)."""
        x = self.words(tokens) + self.places.weight[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return functional.linear(self.norm(x), self.words.weight)


class GptLayer(nn.Module):
    """Attention and perceptron, each behind a LayerNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = (nn.LayerNorm(WIDTH, bias=False) for _ in range(2))
        self.attention = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.found = nn.Linear(WIDTH, WIDTH, bias=False)
        self.into = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.out = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (batch, time, width) with what both add."""
        batch, time, _ = x.shape
        size = (batch, time, HEADS, WIDTH // HEADS)
        parts = torch.split(self.attention(self.before(x)), WIDTH, dim=2)
        q, k, v = (part.view(size).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.found(seen.transpose(1, 2).reshape(batch, time, WIDTH))
        return x + self.out(functional.gelu(self.into(self.between(x))))


def baseline(train_tokens: Tensor, validation: Tensor, vocabulary: int, steps: int) -> Outcome:
    """Train as `train.py config/train_shakespeare_char.py --device=cpu …` of nanoGPT's README."""
    torch.manual_seed(1337)
    model = Gpt(vocabulary)
    matrices = [each for each in model.parameters() if each.ndim >= 2]
    norms = [each for each in model.parameters() if each.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    places = torch.arange(BLOCK + 1)
    started = time.perf_counter()
    for step in range(steps):
        lr = 1e-3 * (step + 1) / (WARM_UP + 1)
        if step >= WARM_UP:
            fraction = (step - WARM_UP) / max(1, steps - WARM_UP)
            lr = 1e-4 + 0.5 * (1 + math.cos(math.pi * fraction)) * 9e-4
        for group in optimizer.param_groups:
            group["lr"] = lr
        chosen = torch.randint(len(train_tokens) - BLOCK, (BATCH, 1)) + places
        window = train_tokens[chosen]
        logits = model(window[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    seconds = time.perf_counter() - started
    alone = loss_alone(model, validation, BLOCK)
    return Outcome(seconds, steps, steps * BATCH * BLOCK, alone, alone)


def ours(
    facts: DatasetFacts,
    data: Data,
    prepared: Trainable,
    seconds: float,
    precision: Precision | None,
) -> Outcome:
    """Train with the defaults, for about so long; `prepared` is such a job that was not trained."""
    spec = partial(_spec, facts, precision=precision)
    batch_size = spec(1).training.batch_size
    batch = prepared.train.batch(epoch=0, position=0, batch_size=batch_size, seed=0)
    window = batch.inputs.shape[1]
    first, more = (_run(spec(steps), data)[1] for steps in (SHORT, SHORT + LONGER))
    steps = max(1, round(seconds * LONGER / (more - first)))
    trainable, took = _run(spec(steps), data)
    told = evaluate(
        trainable.model, trainable.task, prepared.validation, batch_size=len(batch.inputs), seed=0
    )
    model = trainable.model.eval()
    decoder = cast("SequenceModel", model)

    def logits(tokens: Tensor) -> Tensor:
        return decoder(tokens, decoder.initial_state(len(tokens)))[0]

    validation = _targets(prepared.validation)
    alone, alone_64 = (loss_alone(logits, validation, length) for length in (window, BLOCK))
    return Outcome(took, steps, steps * batch.inputs.numel(), alone, alone_64, told["val_loss"])


def loss_alone(model: Model, tokens: Tensor, window: int) -> float:
    """Return the mean loss over windows of which none sees another."""
    count = (len(tokens) - 1) // window
    inputs = tokens[: count * window].view(count, window)
    targets = tokens[1 : count * window + 1].view(count, window)
    total = 0.0
    with torch.inference_mode():
        for seen, expected in zip(torch.split(inputs, 64), torch.split(targets, 64), strict=True):
            logits = model(seen).flatten(0, 1)
            total += functional.cross_entropy(logits, expected.flatten(), reduction="sum").item()
    return total / (count * window)


def transformer(rounds: int, threads: int, iterations: int = 2000) -> None:
    """Print both, once for each round."""
    torch.set_num_threads(threads)
    if not PLAY.exists():
        print(f"transformer: skipped, {PLAY.name} is not here")
        return
    facts, data = running_text("play", PLAY.read_bytes())
    prepared = Catalogue.installed().build(_spec(facts, 1), data)
    learn, validate = _targets(prepared.train), _targets(prepared.validation)
    vocabulary = cast("Any", prepared.task.shape).vocabulary_size
    print("| recipe | s | steps | tokens | loss, windows alone | of 64 | as the service tells it |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for _ in range(rounds):
        public = baseline(learn, validate, vocabulary, iterations)
        _print("nanoGPT's for a CPU", public)
        _print("our defaults", ours(facts, data, prepared, public.seconds, None))
        _print("…, float32", ours(facts, data, prepared, public.seconds, "float32"))


def _targets(examples: Examples) -> Tensor:
    assert isinstance(examples, LineExamples | StreamExamples)
    return examples.targets.long()


def _print(name: str, outcome: Outcome) -> None:
    seconds, steps, tokens, alone, alone_64, told = outcome
    last = "" if told is None else f"{told:.3f}"
    run = f"{name} | {seconds:.1f} | {steps:,} | {tokens:,}"
    print(f"| {run} | {alone:.3f} | {alone_64:.3f} | {last} |", flush=True)


def _spec(facts: DatasetFacts, steps: int, *, precision: Precision | None = None) -> JobSpec:
    return resolve(
        facts,
        dataset={"name": facts.name, "tokenizer": "char", "lowercase": False},
        architecture="transformer",
        training={"max_steps": steps, "device": "cpu", "precision": precision},
    )


def _run(spec: JobSpec, data: Data) -> tuple[Trainable, float]:
    """Train for some steps, validating on next to nothing; return what was trained, and seconds."""
    trainable = Catalogue.installed().build(spec, data)
    few = StreamExamples(
        _targets(trainable.validation)[:BLOCK].numpy(), first_input=1, sequence_length=BLOCK
    )
    started = time.perf_counter()
    train(trainable._replace(validation=few), spec, Silent(), device=torch.device("cpu"))
    return trainable, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    transformer(arguments.rounds, arguments.threads, arguments.iterations)


if __name__ == "__main__":
    main()
