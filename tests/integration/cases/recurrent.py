"""Wrong options of the recurrent architectures."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case


def refused(pointer: str, type_: str, /, dataset: str = "eating", **options: Any) -> dict[str, Any]:
    """Make a case of a job whose architecture has options that will not do."""
    body = {"dataset": dataset, "architecture": {"type": type_, **options}}
    return {"status": 422, "code": "invalid_request", "pointer": f"/architecture/{pointer}", "body": body}


RECURRENT = [
    *(
        case
        for name in ("rnn", "lstm", "gru")
        for case in (
            Case(f"next words read backwards, {name}", **refused("bidirectional", name, bidirectional=True)),
            Case(f"tied embeddings of another size, {name}", **refused("embedding_size", name, embedding_size=32, hidden_size=64, tied_embeddings=True)),
            Case(f"tied embeddings of classes, {name}", **refused("tied_embeddings", name, dataset="sms-spam", embedding_size=64, hidden_size=64, tied_embeddings=True)),
            Case(f"an unknown initialization, {name}", **refused("initialization", name, initialization="ones")),
            Case(f"no layers, {name}", **refused("layers", name, layers=0)),
            Case(f"dropout of all, {name}", **refused("dropout", name, dropout=1.0)),
        )
    ),
    Case("tied words that are one-hot", **refused("embedding_size", "rnn", hidden_size=64, tied_embeddings=True)),
    Case("an LSTM of one-hot words", **refused("embedding_size", "lstm", embedding_size=None)),
    Case("a GRU with the activation of an RNN", **refused("activation", "gru", activation="relu")),
    Case("an LSTM with the initial state of an RNN", **refused("initial_state", "lstm", initial_state="ones")),
    Case("a bidirectional that is no boolean", **refused("bidirectional", "lstm", dataset="sms-spam", bidirectional=1)),
    Case("a hidden state beyond", **refused("hidden_size", "gru", hidden_size=4097)),
]
