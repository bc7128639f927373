"""The two networks that every server of `serving.py` holds, in plain PyTorch, and their files.

Nothing here knows Trainyard: the other servers run in environments of their own. A folder holds
`images.safetensors` and `words.safetensors`, and `images.json` and `words.json` with what a request
needs beside the weights.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

THREADS = 2
TOP_K = 5
SPECIAL = 2
"""Words at the beginning of the vocabulary that are never answered: end of text, unknown."""


class Images(nn.Module):
    """The CNN of PyTorch's MNIST example: 28×28 pixels of 0…255 to the best classes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        made = json.loads((folder / "images.json").read_text(encoding="utf-8"))
        self.mean, self.deviation, self.labels = made["mean"], made["deviation"], made["classes"]
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(9216, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )
        _fill(self, load_file(folder / "images.safetensors"))

    @torch.inference_mode()
    def answer(self, inputs: list[list[list[int]]]) -> list[list[dict[str, object]]]:
        """Return the best classes of each image."""
        images = torch.tensor(inputs, dtype=torch.float32).unsqueeze(1)
        logits = self.layers((images - self.mean) / self.deviation)
        return _best(logits.softmax(dim=1), self.labels, "label", skip=0)


class Words(nn.Module):
    """Embedding, LSTM, linear: a text to the words that may follow."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        made = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        self.words = made["vocabulary"]
        self.indices = {word: index for index, word in enumerate(self.words)}
        self.embedding = nn.Embedding(len(self.words), made["embedding_size"])
        self.lstm = nn.LSTM(made["embedding_size"], made["hidden_size"], batch_first=True)
        self.head = nn.Linear(made["hidden_size"], len(self.words))
        _fill(self, load_file(folder / "words.safetensors"))

    @torch.inference_mode()
    def answer(self, inputs: list[str]) -> list[list[dict[str, object]]]:
        """Return the best next words of each text; texts of one length go through together."""
        rows = [[0, *(self.indices.get(word, 1) for word in text.split())] for text in inputs]
        lengths = torch.tensor([len(row) for row in rows])
        longest = int(lengths.max())
        tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        hidden, _ = self.lstm(self.embedding(tokens))
        last = hidden[torch.arange(len(rows)), lengths - 1]
        return _best(self.head(last).softmax(dim=1), self.words, "token", skip=SPECIAL)


KINDS: dict[str, type[Images] | type[Words]] = {"images": Images, "words": Words}


def load(folder: Path, kind: str) -> Images | Words:
    """Load a network, ready to be asked, with the threads that all servers get."""
    torch.set_num_threads(THREADS)
    network = KINDS[kind](folder)
    network.eval()
    return network


def _fill(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Take over weights by their order: each server names them in its own way."""
    mine = network.state_dict()
    found = [weights[number] for number in sorted(weights)]
    if [value.shape for value in mine.values()] != [value.shape for value in found]:
        message = f"the weights are not of this network: {[value.shape for value in found]}"
        raise ValueError(message)
    network.load_state_dict(dict(zip(mine, found, strict=True)))


def _best(
    shares: Tensor, names: list[str], called: str, *, skip: int
) -> list[list[dict[str, object]]]:
    best = shares[:, skip:].topk(TOP_K, dim=1)
    return [
        [
            {called: names[index + skip], "probability": share}
            for index, share in zip(indices, found, strict=True)
        ]
        for indices, found in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
