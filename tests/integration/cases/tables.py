"""Wrong questions about tables: what jobs learn from them, and rows to be answered."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case
from tests.integration.cases.predictions import predict, written

ROW = {"hour": 3, "sky": "rain", "day": "2026-02-01", "wind": 4.5}


def job(pointer: str, **dataset: Any) -> dict[str, Any]:
    """Make a case of a job on the table of `states`."""
    body = {"dataset": {"name": "bad-table", **dataset}, "architecture": "mlp"}
    return {"status": 422, "code": "invalid_request", "pointer": f"/dataset/{pointer}", "body": body}


def row(field: str, **changed: Any) -> dict[str, Any]:
    """Make a case of one wrong row."""
    return predict(f"/inputs/0/{field}", [{**ROW, **changed}], model="bad-rows")


TABLES = [
    Case("a target that no column is", **job("target", target="powr")),
    Case("a target of text for a regression", **job("target", target="note", task="regression")),
    Case("a category for a regression", **job("target", target="sky", task="regression")),
    Case("a date for a regression", **job("target", target="day", task="regression")),
    Case("a target of text for a classification", **job("target", target="note", task="classification")),
    Case("a target of one class", **job("target", target="always", task="classification")),
    Case("a target of one value", **job("target", target="always")),
    Case("a target that all rows lack", **job("target", target="never")),
    Case("a target that all rows lack, named a regression", **job("target", target="never", task="regression")),
    Case("a target that is a number", **job("target", target=3)),
    Case("a feature that no column is", **job("features/1", features=["hour", "winds"])),
    Case("a feature that is the target", **job("features/0", features=["power"])),
    Case("a feature twice", **job("features/1", features=["hour", "hour"])),
    Case("a feature of text", **job("features/0", features=["note"])),
    Case("no features", **job("features", features=[])),
    Case("features that are one string", **job("features", features="hour")),
    Case("a group that no column is", **job("group", group="station")),
    Case("a group of one value", **job("group", group="always")),
    Case("a group that is the target", **job("group", group="power")),
    Case("what comes round without a period", **job("cyclic/0", cyclic=["wind"])),
    Case("what comes round and is no number", **job("cyclic/0", cyclic=["sky"])),
    Case("a period for no column", **job("cyclic/hours", cyclic={"hours": 24})),
    Case("a period of zero", **job("cyclic/hour", cyclic={"hour": 0})),
    Case("a list of numbers that come round", **job("cyclic/0", cyclic=[24])),
    Case("what comes round as a number", **job("cyclic", cyclic=24)),
    Case("a validation fraction of one", **job("validation_fraction", validation_fraction=1)),
    Case("an unknown way of categories", **job("categorical", categorical="hashing")),
    Case("class weights for a regression", **job("class_weights", class_weights="balanced", task="regression")),
    Case("non-negative classes", **job("non_negative", non_negative=True, target="sky")),
    Case("words of a table", **job("lowercase", lowercase=True)),
    Case("a task for texts of a table", **job("task", task="next_word")),
    Case("pictures of a table", 422, "invalid_request", "/architecture", body={"dataset": "bad-table", "architecture": "cnn"}),
    Case("a row without a feature", **predict("/inputs/0/hour", [{name: value for name, value in ROW.items() if name != "hour"}], model="bad-rows")),
    Case("a row whose feature is null and never was", **row("hour", hour=None)),
    Case("a row with a feature that no model knows", **row("winds", winds=3)),
    Case("a row with the answer", **row("power", power=3)),
    Case("a row with a column that is not learned from", **row("note", note="x")),
    Case("a row with a number in quotes", **row("hour", hour="3")),
    Case("a row with a number that is true", **row("hour", hour=True)),
    Case("a row with a number that is a list", **row("hour", hour=[3])),
    Case("a row with a number of 400 digits", **row("hour", hour=10**400)),
    Case("a row with a category that is true", **row("sky", sky=True)),
    Case("a row with a category that is another number", **row("sky", sky=3)),
    Case("a row with a date that is none", **row("day", day="the day before yesterday")),
    Case("a row with a date that is a number", **row("day", day=20260201)),
    Case("the second row wrong", **predict("/inputs/1/hour", [ROW, {**ROW, "hour": "3"}], model="bad-rows")),
    Case("an empty row", **predict("/inputs/0/hour", [{}], model="bad-rows")),
    Case("a row that is a list", **predict("/inputs/0", [[3, "rain"]], model="bad-rows")),
    Case("a row that is a text", **predict("/inputs/0", ["rain"], model="bad-rows")),
    Case("a row that is null", **predict("/inputs/0", [None], model="bad-rows")),
    Case("a picture for a row", **predict("/inputs/0/b64", [{"b64": "aGVsbG8="}], model="bad-rows")),
    Case("an infinite number in a row", **written(b'{"hour": 1e999, "sky": "rain", "day": "2026-02-01"}', model="bad-rows"))._replace(pointer="/inputs/0/hour"),
    Case("100 brackets for a row", **written(b"[" * 100 + b"]" * 100, model="bad-rows")),
]
