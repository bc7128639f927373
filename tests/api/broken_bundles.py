"""Zips that are no models, or not quite: each with where the refusal must point."""
# ruff: noqa: E501  a table: one case a line

import hashlib
import json
import pickle
import stat
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

Files = dict[str, bytes]


def files_of(content: bytes) -> Files:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, each in files.items():
            archive.writestr(name, each)
    return content.getvalue()


def changed_config(bundle: bytes, **changes: Any) -> Files:
    files = files_of(bundle)
    files["config.json"] = json.dumps({**json.loads(files["config.json"]), **changes}).encode()
    return files


def changed_preparation(bundle: bytes, **changes: Any) -> Files:
    files = files_of(bundle)
    raw = json.dumps({**json.loads(files["preparation.json"]), **changes}).encode()
    files = changed_config(bundle, preparation_sha256=hashlib.sha256(raw).hexdigest())
    return {**files, "preparation.json": raw}


def changed_weights(bundle: bytes, change: Callable[[dict[str, torch.Tensor]], Any]) -> Files:
    tensors = load(files_of(bundle)["model.safetensors"])
    change(tensors)
    raw = save(tensors)
    files = changed_config(bundle, weights_sha256=hashlib.sha256(raw).hexdigest())
    return {**files, "model.safetensors": raw}


def with_first_entry(files: Files, change: Callable[[zipfile.ZipInfo], Any]) -> bytes:
    """Pack with one more file, whose entry was changed."""
    content = BytesIO(packed(files))
    with zipfile.ZipFile(content, "a") as archive:
        info = zipfile.ZipInfo("more.txt")
        change(info)
        archive.writestr(info, b"config.json")
    return content.getvalue()


def torch_file() -> bytes:
    content = BytesIO()
    torch.save({"a": torch.zeros(1)}, content)
    return content.getvalue()


def architecture(**options: Any) -> Callable[[bytes], bytes]:
    def make(bundle: bytes) -> bytes:
        known = json.loads(files_of(bundle)["config.json"])["architecture"]
        return packed(changed_config(bundle, architecture={**known, **options}))

    return make


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda bundle: packed({k: v for k, v in files_of(bundle).items() if k != name})


def beside(name: str, content: bytes) -> Callable[[bytes], bytes]:
    return lambda bundle: packed({**files_of(bundle), name: content})


def config(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda bundle: packed(changed_config(bundle, **changes))


def preparation(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda bundle: packed(changed_preparation(bundle, **changes))


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[bytes], bytes]:
    return lambda bundle: packed(changed_weights(bundle, change))


def entry(change: Callable[[zipfile.ZipInfo], Any]) -> Callable[[bytes], bytes]:
    return lambda bundle: with_first_entry(files_of(bundle), change)


def calibrated_at(temperature: float) -> dict[str, Any]:
    calibration = {"temperature": temperature, "error_before": 0, "error_after": 0, "examples": 1}
    return {"examples": 1, "calibration": calibration}


def a_link(info: zipfile.ZipInfo) -> None:
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def by_bzip2(info: zipfile.ZipInfo) -> None:
    info.compress_type = zipfile.ZIP_BZIP2


def many(bundle: bytes) -> bytes:
    return packed({**files_of(bundle), **{f"{number}.txt": b"" for number in range(100)}})


def twice(bundle: bytes) -> bytes:
    content = BytesIO(bundle)
    with zipfile.ZipFile(content, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", b"{}")
    return content.getvalue()


def a_bomb(bundle: bytes) -> bytes:
    files = {**files_of(bundle), "zeros.txt": bytes(8 << 20)}
    return packed(files, method=zipfile.ZIP_DEFLATED)


def encrypted(bundle: bytes) -> bytes:
    """Set the flag in the directory: nothing else tells it."""
    place = bundle.rindex(b"PK\x01\x02")
    return bundle[: place + 8] + bytes([bundle[place + 8] | 1]) + bundle[place + 9 :]


def damaged(bundle: bytes) -> bytes:
    place = bundle.rindex(b'"dtype"')
    return bundle[:place] + b"????" + bundle[place + 4 :]


def a_pickle(protocol: int) -> bytes:
    return pickle.dumps({"a": 1}, protocol)


# fmt: off
FILE, CONFIG = "/file", "/file/config.json"
PREPARATION, WEIGHTS = "/file/preparation.json", "/file/model.safetensors"
REFUSED: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("nothing", lambda _: b"", FILE),
    ("no zip", lambda _: b"model", FILE),
    ("a zip that is cut", lambda bundle: bundle[:-50], FILE),
    ("an empty zip", lambda _: packed({}), FILE),
    ("a pickle", lambda _: a_pickle(4), FILE),
    ("a file of torch.save", lambda _: torch_file(), FILE),
    ("arrays of NumPy", beside("arrays.npz", b"PK"), FILE),
    ("a pickle among the files", beside("more.txt", a_pickle(2)), FILE),
    ("a file of torch.save among the files", beside("notes", torch_file()), FILE),
    ("a file called .pt", beside("weights.PT", b"x"), FILE),
    ("a name that leads out", beside("../evil.txt", b"x"), FILE),
    ("an absolute name", beside("/etc/passwd", b"x"), FILE),
    ("a drive", beside("C:/evil.txt", b"x"), FILE),
    ("a backslash", beside("a\\b.txt", b"x"), FILE),
    ("a link", entry(a_link), FILE),
    ("a password", encrypted, FILE),
    ("a bomb", a_bomb, FILE),
    ("a file packed by bzip2", entry(by_bzip2), FILE),
    ("weights packed by LZMA", lambda bundle: packed(files_of(bundle), method=zipfile.ZIP_LZMA), FILE),
    ("a file twice", twice, FILE),
    ("too many files", many, FILE),
    ("a damaged file", damaged, FILE),
    ("no weights", without("model.safetensors"), FILE),
    ("no config", without("config.json"), FILE),
    ("no preparation", without("preparation.json"), FILE),
    ("a config of more than a MiB", lambda bundle: packed({**files_of(bundle), "config.json": files_of(bundle)["config.json"] + b" " * (1 << 20)}), CONFIG),
    ("a config of too many items", config(evaluation={"examples": 1, "classes": [0] * 20_001}), f"{CONFIG}/evaluation"),
    ("a config of too many fields", config(metrics=dict.fromkeys(map(str, range(1001)), 0)), CONFIG),
    ("a preparation of too many lists", preparation(vocabulary=[[]] * 2_000_001), PREPARATION),
    ("a preparation of too many fields", preparation(**dict.fromkeys(map(str, range(1001)), 0)), PREPARATION),
    ("a config that is no JSON", beside("config.json", b"{"), CONFIG),
    ("a config that is a list", beside("config.json", b"[]"), CONFIG),
    ("a config with NaN", beside("config.json", b'{"a": NaN}'), CONFIG),
    ("a config with a huge number", beside("config.json", b'{"a": 1e999}'), CONFIG),
    ("a config with NUL", config(dataset="a\0b"), CONFIG),
    ("another format", config(format="onnx"), f"{CONFIG}/format"),
    ("a later format", config(format_version=2), f"{CONFIG}/format_version"),
    ("an unknown task", config(task="singing"), f"{CONFIG}/task"),
    ("another task", config(task="regression"), f"{PREPARATION}/features"),
    ("an unknown architecture", architecture(type="rmn"), f"{CONFIG}/architecture/type"),
    ("an architecture of pictures", config(architecture={"type": "cnn"}), f"{CONFIG}/architecture"),
    ("an unknown option", architecture(hiden_size=3), f"{CONFIG}/architecture/hiden_size"),
    ("an option out of bounds", architecture(hidden_size=0), f"{CONFIG}/architecture/hidden_size"),
    ("more than the limit", architecture(hidden_size=4096, layers=16), f"{CONFIG}/architecture"),
    ("another shape", config(shape={"kind": "text", "vocabulary_size": 3}), f"{CONFIG}/shape"),
    ("a temperature of 0", config(evaluation=calibrated_at(0)), f"{CONFIG}/evaluation/calibration/temperature"),
    ("other options than the weights", architecture(hidden_size=9), WEIGHTS),
    ("another preparation", beside("preparation.json", b"{}"), PREPARATION),
    ("a vocabulary of numbers", preparation(vocabulary=[1, 2]), f"{PREPARATION}/vocabulary/0"),
    ("a vocabulary without <eos>", preparation(vocabulary=["<unk>", "a"]), PREPARATION),
    ("a vocabulary with a word twice", preparation(vocabulary=["<unk>", "<eos>", "a", "a"]), PREPARATION),
    ("an unknown tokenizer", preparation(tokenizer={"name": "ears"}), f"{PREPARATION}/tokenizer/name"),
    ("merges of nothing", preparation(tokenizer={"name": "bpe", "merges": [["x", "y"]]}), PREPARATION),
    ("other weights than config says", beside("model.safetensors", b"x"), WEIGHTS),
    ("weights that are no safetensors", lambda bundle: packed({**changed_config(bundle, weights_sha256=hashlib.sha256(b"x").hexdigest()), "model.safetensors": b"x"}), WEIGHTS),
    ("a tensor too few", weights(lambda tensors: tensors.pop("b_y")), WEIGHTS),
    ("a tensor too many", weights(lambda tensors: tensors.update(more=torch.zeros(1))), WEIGHTS),
    ("a tensor of another shape", weights(lambda tensors: tensors.update(b_y=torch.zeros(3))), WEIGHTS),
    ("a tensor of another type", weights(lambda tensors: tensors.update(b_y=tensors["b_y"].half())), WEIGHTS),
    ("a tensor with NaN", weights(lambda tensors: tensors["b_y"].fill_(np.nan)), WEIGHTS),
    ("far too much", weights(lambda tensors: tensors.update(more=torch.randn(600_000))), WEIGHTS),
]
