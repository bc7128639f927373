"""The file `README.md` of a bundle: the model's card, and how the files are used."""

from service.domain.bundles import BundleConfig
from service.domain.card_text import markdown
from service.domain.cards import ModelCard

_INPUTS = {
    "next_word": "token indices `(batch, time)`; each row begins with `<eos>`, which is 1. "
    "An index is the place of a token in `vocabulary` of `preparation.json`; 0 is `<unk>`",
    "text_classification": "token indices `(batch, time)`; each row ends with `<eos>`, which is 1, "
    "and is filled up with it. An index is the place of a token in `vocabulary` of "
    "`preparation.json`; 0 is `<unk>`",
    "image_classification": "pixels `(batch, channels, height, width)` of 0 to 255; they are "
    "normalised by `mean` and `standard_deviation` of `preparation.json`",
    "classification": "rows `(batch, numbers + categories)`: `features` of `preparation.json` says "
    "how a column becomes numbers, those of categories that are looked up stand last",
    "regression": "rows `(batch, numbers + categories)`: `features` of `preparation.json` says "
    "how a column becomes numbers, those of categories that are looked up stand last",
}
_TOKENIZERS = {
    "word": "Texts are put into NFC and cut into words and marks; `tokens_of` in `model.py` does "
    "it.",
    "char": "Texts are put into NFC; every character is a token. `tokens_of` in `model.py` does "
    "it.",
    "bpe": "Texts are put into NFC, cut at spaces, marks and digits, and then into pieces by the "
    "`merges` of `preparation.json` (byte pair encoding; a space is written `▁`, at the "
    "beginning of a piece). The library `tokenizers` does it.",
}


def readme(config: BundleConfig, card: ModelCard | None, tokenizer: str | None) -> str:
    """Write it in Markdown."""
    about = f"# {config.origin.id}\n\nA checkpoint" if card is None else markdown(card)
    if card is None:
        about += f" of a `{config.architecture.type}` for {config.task.replace('_', ' ')}, trained "
        about += f"on `{config.dataset}`.\n"
    said = [
        about,
        "## Use\n",
        "```sh",
        "pip install torch safetensors",
        "python model.py",
        "```\n",
        "compares the network with `example.json` and says `ok`. In Python:\n",
        "```python",
        "import model",
        "",
        "network = model.load()",
        "outputs = model.predict(network, inputs)",
        "```\n",
        f"`inputs` are {_INPUTS[config.task]}.",
    ]
    if tokenizer is not None:
        said.append(_TOKENIZERS[tokenizer])
        if tokenizer != "bpe":
            said.append('`python model.py "a text"` tells what is most probable.')
    said += [
        "",
        "- `model.safetensors`: the weights",
        "- `config.json`: the options of the network, its shape, and what is known of the model",
        "- `preparation.json`: what was fixed when the data were prepared",
        "- `model.py`: the network, in plain PyTorch",
        "- `example.json`: inputs, and what the network makes of them\n",
        "Another Trainyard serves it: `trainyard models import FILE --name NAME`.\n",
    ]
    return "\n".join(said)
