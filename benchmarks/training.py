"""How fast our models train, against the recipes that are public.

`rnn`: steps per second of a tiny state-space RNN against nn.RNN in a plain loop. `lstm`: tokens per
second of a word LSTM against the recipe of PyTorch's word_language_model example. Same sizes, data
and optimizer; the runs of a round follow each other, so that all see the same machine.
`cnn`: images per second, see cnn.py.
`transformer`: validation loss after equal wall clock, see transformer.py.

    python -m benchmarks.training [rnn] [lstm] [cnn] [transformer] [--rounds 3] [--threads 2]
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import argparse
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from benchmarks.cnn import cnn
from benchmarks.measuring import Silent, built_in, print_table, resolve, running_text
from benchmarks.transformer import transformer
from service.architectures.base import WithOutput
from service.catalogue import Catalogue, Trainable
from service.datasets.base import Data
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from service.tasks.base import Batch
from service.tasks.linear_cross_entropy import linear_cross_entropy
from service.training.loop import train

HIDDEN, BATCH, EPOCHS = 64, 32, 4
WORDS, WIDTH, ROWS, WINDOW, STEPS = 13_777, 200, 20, 35, 8
IGNORED = -100


def main() -> None:
    """Run what was asked for, or all."""
    parts: dict[str, Callable[[int, int], None]] = {
        "rnn": rnn,
        "lstm": lstm,
        "cnn": cnn,
        "transformer": transformer,
    }
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("parts", nargs="*", choices=[*parts, []], help="null: all")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=2, help="of the LSTM; the RNN has one")
    given = options.parse_args()
    for name in given.parts or parts:
        parts[name](given.rounds, given.threads)


def rnn(rounds: int, threads: int) -> None:
    """Train a tiny RNN on lines of about 8 words, validating after every epoch."""
    del threads  # what the service gives so small a model
    torch.set_num_threads(1)
    facts, data = built_in("eating")
    spec = resolve(
        facts,
        architecture={"type": "rnn", "hidden_size": HIDDEN, "embedding_size": HIDDEN},
        optimizer={"type": "adamw", "lr": 0.01, "weight_decay": 0.01},
        schedule="constant",
        training={
            "epochs": EPOCHS,
            "batch_size": BATCH,
            "gradient_clip": None,
            "device": "cpu",
            "precision": "float32",
        },
    )
    ways = {
        "nn.RNN in a plain loop": partial(_plain_rnn, spec, data),
        "our network in the plain loop": partial(_our_rnn, spec, data),
        "ours": lambda: _trained(spec, data)[0],
    }
    print_table(
        f"Tiny RNN, hidden {HIDDEN}, batch {BATCH}, words of eating, {EPOCHS} epochs, 1 thread",
        _in_turns(ways, rounds),
        unit="steps/s",
        baseline="nn.RNN in a plain loop",
    )


def lstm(rounds: int, threads: int) -> None:
    """Train a word LSTM on text of as many words as the example's."""
    torch.set_num_threads(threads)
    facts, data = _running_text()
    spec = resolve(
        facts,
        dataset={"name": facts.name, "sequence_length": WINDOW, "validation_fraction": 0.001},
        architecture={
            "type": "lstm",
            "embedding_size": WIDTH,
            "hidden_size": WIDTH,
            "layers": 2,
            "dropout": 0.2,
        },
        optimizer={"type": "sgd", "lr": 1.0, "momentum": 0.0},
        schedule="constant",
        training={
            "max_steps": STEPS,
            "batch_size": ROWS,
            "gradient_clip": 0.25,
            "device": "cpu",
            "precision": "float32",
        },
    )
    ways = {
        "word_language_model": partial(_example, spec, data),
        "our network and loss in its loop": partial(_our_lstm, spec, data),
        "ours": lambda: _trained(spec, data)[1],
        "ours, bfloat16": lambda: _trained(_in_bfloat16(spec), data)[1],
    }
    print_table(
        f"Word LSTM 2 × {WIDTH}, {WORDS:,} words, batch {ROWS}, windows of {WINDOW}, "
        f"{threads} threads",
        _in_turns(ways, rounds),
        unit="tokens/s",
        baseline="word_language_model",
    )


def _in_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    for way in ways.values():
        way()  # warm-up
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in ways if number % 2 == 0 else reversed([*ways]):
            speeds[name].append(ways[name]())
    return speeds


def _trained(spec: JobSpec, data: Data) -> tuple[float, float]:
    """Train as the service does: reports, finite checks and checkpoints too."""
    trainable = Catalogue.installed().build(spec, data)
    began = time.perf_counter()
    train(trainable, spec, Silent(), device=torch.device("cpu"))
    took = time.perf_counter() - began
    return trainable.steps / took, trainable.steps * ROWS * WINDOW / took


class PlainRnn(nn.Module):
    """What one writes first."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, HIDDEN)
        self.rnn = nn.RNN(HIDDEN, HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, time) to logits."""
        return self.output(self.rnn(self.embedding(tokens))[0])


def _plain_rnn(spec: JobSpec, data: Data) -> float:
    torch.manual_seed(0)
    trainable = Catalogue.installed().build(spec, data)
    network = PlainRnn(_vocabulary_size(trainable))

    def loss(batch: Batch) -> Tensor:
        logits = network(batch.inputs)
        return functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())

    return _plain_loop(trainable, network, loss)


def _our_rnn(spec: JobSpec, data: Data) -> float:
    trainable = Catalogue.installed().build(spec, data)

    def loss(batch: Batch) -> Tensor:
        return trainable.task.loss(trainable.model, batch, None)[0]

    return _plain_loop(trainable, trainable.model, loss)


def _plain_loop(trainable: Trainable, network: nn.Module, loss: Callable[[Batch], Tensor]) -> float:
    """Train on batches that are ready, and validate after every epoch; return steps per second."""
    training = list(_epoch(trainable))
    validation = list(trainable.validation.in_order(BATCH))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    began = time.perf_counter()
    for _ in range(EPOCHS):
        network.train()
        for batch in training:
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            for batch in validation:
                loss(batch)
    return EPOCHS * len(training) / (time.perf_counter() - began)


def _epoch(trainable: Trainable) -> Iterator[Batch]:
    for position in range(trainable.steps_per_epoch):
        yield trainable.train.batch(epoch=0, position=position, batch_size=BATCH, seed=0)


class Example(nn.Module):
    """The model of the word_language_model example."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.encoder = nn.Embedding(vocabulary, WIDTH)
        self.rnn = nn.LSTM(WIDTH, WIDTH, 2, dropout=0.2)
        self.decoder = nn.Linear(WIDTH, vocabulary)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)

    def forward(
        self, tokens: Tensor, hidden: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Tokens (time, batch) to log-probabilities (time × batch, vocabulary)."""
        output, hidden = self.rnn(self.drop(self.encoder(tokens)), hidden)
        decoded = self.decoder(self.drop(output)).view(-1, len(self.encoder.weight))
        return functional.log_softmax(decoded, dim=1), hidden


def _example(spec: JobSpec, data: Data) -> float:
    """Train as the example does."""
    torch.manual_seed(0)
    trainable = Catalogue.installed().build(spec, data)
    network = Example(_vocabulary_size(trainable)).train()
    hidden = (torch.zeros(2, ROWS, WIDTH), torch.zeros(2, ROWS, WIDTH))
    batches = [(batch.inputs.t(), batch.targets.t()) for batch in _windows(trainable)]
    total = 0.0
    began = time.perf_counter()
    for inputs, targets in batches:
        network.zero_grad()
        hidden = (hidden[0].detach(), hidden[1].detach())
        output, hidden = network(inputs, hidden)
        loss = functional.nll_loss(output, targets.reshape(-1))
        loss.backward()
        clip_grad_norm_(network.parameters(), 0.25)
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter.data.add_(parameter.grad, alpha=-1.0)
        total += loss.item()
    return STEPS * ROWS * WINDOW / (time.perf_counter() - began)


def _our_lstm(spec: JobSpec, data: Data) -> float:
    """Train our network with our loss in the example's loop."""
    trainable = Catalogue.installed().build(spec, data)
    network = trainable.model.train()
    assert isinstance(network, WithOutput)
    state = torch.zeros(4, ROWS, WIDTH)
    batches = list(_windows(trainable))
    began = time.perf_counter()
    for batch in batches:
        network.zero_grad()
        hidden, state = network.hidden(batch.inputs, state.detach())
        loss = linear_cross_entropy(
            hidden.flatten(0, 1),
            network.output(),
            batch.targets.flatten(),
            ignored=IGNORED,
        )
        loss.backward()
        clip_grad_norm_(network.parameters(), 0.25)
        trainable.optimizer.step()
    return STEPS * ROWS * WINDOW / (time.perf_counter() - began)


def _in_bfloat16(spec: JobSpec) -> JobSpec:
    training = spec.training.model_copy(update={"precision": "bfloat16"})
    return spec.model_copy(update={"training": training})


def _windows(trainable: Trainable) -> Iterator[Batch]:
    for position in range(STEPS):
        yield trainable.train.batch(epoch=0, position=position, batch_size=ROWS, seed=0)


def _running_text() -> tuple[DatasetFacts, Data]:
    """Make a text of so many words, as often as Zipf says; time depends on nothing else in it."""
    generator = random.Random(0)
    words = [f"w{number}" for number in range(WORDS - 2)]
    shares = [1 / (1 + number) for number in range(len(words))]
    text = [*words, *generator.choices(words, shares, k=20_000)]
    return running_text("running", " ".join(text).encode())


def _vocabulary_size(trainable: Trainable) -> int:
    return len(trainable.task.names["words"])


if __name__ == "__main__":
    main()
