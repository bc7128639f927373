"""Models that leave: as a zip for plain PyTorch, or as a file of ONNX."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# ONNX Runtime comes without types.

import json
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextvars import copy_context
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import numpy as np
import onnxruntime
import pytest

from service.api import bundles
from service.catalogue import Catalogue
from service.domain.jobs import Job
from service.prediction.bundles import onnx_file
from service.store.deadline import begin_within, refuse_late
from tests.api.workshop import Trained, Workshop, copy_of, trained_in


@pytest.fixture(scope="module")
def cook(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue
) -> Trained:
    """A workshop with the model `cook`, for tests to copy."""
    file = tmp_path_factory.mktemp("cook") / "template.db"
    return trained_in(shutil.copyfile(sqlite_template, file), catalogue, model="cook")


@pytest.fixture
def workshop(cook: Trained, tmp_path: Path, catalogue: Catalogue) -> Iterator[Workshop]:
    """A workshop of one's own with the model `cook`."""
    with copy_of(cook, tmp_path / "cook.db", catalogue) as made:
        yield made


def download(workshop: Workshop, reference: str) -> httpx.Response:
    answer = workshop.raw("GET", f"/v1/models/{reference}/download")
    assert answer.status_code == 200, answer.text
    return answer


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_bundle_has_all_that_a_model_needs(workshop: Workshop) -> None:
    answer = download(workshop, "cook")
    assert set(files_of(answer.content)) == {
        "README.md",
        "config.json",
        "example.json",
        "model.py",
        "model.safetensors",
        "preparation.json",
    }
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert 'filename="cook-1.zip"' in answer.headers["Content-Disposition"]


def test_model_py_checks_itself_and_can_be_asked_about_a_text(
    workshop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with zipfile.ZipFile(BytesIO(download(workshop, "cook").content)) as archive:
        archive.extractall(tmp_path)
    program = tmp_path / "model.py"

    assert subprocess.check_output([sys.executable, str(program)], text=True) == "ok\n"
    assert status_of(program, "I like", monkeypatch=monkeypatch) == 0
    told = capsys.readouterr().out.split()

    asked = workshop.post("/v1/models/cook/predict", {"inputs": ["I like"]}).json()
    best = asked["predictions"][0]["candidates"][0]
    assert told[:2] == [f"{best['probability']:.4f}", best["token"]]


def test_model_py_ends_with_1_where_the_weights_are_others(
    workshop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workshop.a_trained_job(model="cook", training={"seed": 6})
    for reference in ("cook@2", "cook@1"):
        for name, content in files_of(download(workshop, reference).content).items():
            if (reference, name) != ("cook@1", "model.safetensors"):
                (tmp_path / name).write_bytes(content)

    assert status_of(tmp_path / "model.py", monkeypatch=monkeypatch) == 1
    assert "off by" in capsys.readouterr().out


def status_of(program: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a program to its end, here: a process of its own would import torch once more."""
    monkeypatch.setattr(sys, "argv", [str(program), *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(program), run_name="__main__")
    return ended.value.code


def test_the_same_version_gives_the_same_bytes_by_all_of_its_names(workshop: Workshop) -> None:
    version = workshop.get("/v1/models/cook@1")
    names = ["cook", "cook@1", "cook@latest", version["id"], version["job"]]
    assert len({download(workshop, name).content for name in names}) == 1


def test_a_checkpoint_has_the_weights_of_its_version(workshop: Workshop) -> None:
    version = workshop.get("/v1/models/cook@1")
    checkpoint = download(workshop, version["checkpoint"])
    of_version = files_of(download(workshop, "cook").content)
    assert files_of(checkpoint.content)["model.safetensors"] == of_version["model.safetensors"]
    assert version["checkpoint"] in checkpoint.headers["Content-Disposition"]


def test_a_job_that_still_trains_leaves_with_nothing_of_the_version_before_it(
    workshop: Workshop,
) -> None:
    job = workshop.a_job(model="cook", training={"seed": 6}, every_steps=2)
    assert workshop.train(after_steps=6).status == "queued"  # to go on later

    assert_leaves_as_its_newest_checkpoint(workshop, job)


def test_a_job_whose_version_was_deleted_leaves_with_nothing_of_a_newer_one(
    workshop: Workshop,
) -> None:
    job = workshop.a_trained_job(model="cook", training={"seed": 6})
    workshop.a_trained_job(model="cook", training={"seed": 7})
    workshop.delete("/v1/models/cook@2")

    assert_leaves_as_its_newest_checkpoint(workshop, job)


def test_the_version_of_a_job_without_a_name_has_its_card(workshop: Workshop) -> None:
    job = workshop.a_trained_job()
    assert job.result is not None
    by_job, by_id = (download(workshop, name).content for name in (job.id, job.result.model_id))
    assert json.loads(files_of(by_job)["config.json"])["origin"]["id"] == job.result.model_id
    assert by_job == by_id


def assert_leaves_as_its_newest_checkpoint(workshop: Workshop, job: Job) -> None:
    checkpoint = max(workshop.checkpoints(job), key=lambda each: (each["step"], each["id"]))
    by_job, by_checkpoint = (download(workshop, name) for name in (job.id, checkpoint["id"]))

    config = json.loads(files_of(by_job.content)["config.json"])
    assert config["metrics"] == checkpoint["metrics"]
    assert config["origin"]["id"] == checkpoint["id"]
    assert by_job.content == by_checkpoint.content


def test_what_has_not_changed_is_not_sent_again(workshop: Workshop) -> None:
    tag = download(workshop, "cook").headers["ETag"]
    path = "/v1/models/cook/download"
    assert workshop.raw("GET", path, headers={"If-None-Match": tag}).status_code == 304
    workshop.a_trained_job(model="cook", training={"seed": 6})
    assert workshop.raw("GET", path, headers={"If-None-Match": tag}).status_code == 200


def test_a_file_of_onnx_says_what_the_service_says(workshop: Workshop) -> None:
    answer = workshop.raw("GET", "/v1/models/cook/download?format=onnx")
    session: Any = onnxruntime.InferenceSession(answer.content)
    metadata = session.get_modelmeta().custom_metadata_map
    words: list[str] = json.loads(metadata["preparation"])["vocabulary"]
    tokens = [[words.index(word) for word in ("<eos>", "we", "cook")]]

    [logits] = session.run(["outputs"], {"inputs": np.array(tokens)})

    asked = workshop.post("/v1/models/cook/predict?probabilities=raw", {"inputs": ["we cook"]})
    best = asked.json()["predictions"][0]["candidates"][0]
    assert words[2 + int(logits[0, 2:].argmax())] == best["token"]
    assert 'filename="cook-1.onnx"' in answer.headers["Content-Disposition"]
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_without_its_library_onnx_is_refused_with_what_to_install(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr(onnx_file, "find_spec", nothing)
    answer = workshop.raw("GET", "/v1/models/cook/download?format=onnx")
    assert (answer.status_code, answer.json()["code"]) == (409, "onnx_not_installed")
    assert "pip install 'trainyard[onnx]'" in answer.json()["detail"]


def test_who_waits_too_long_for_another_export_comes_again_and_has_loaded_no_weights(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = Mock()
    monkeypatch.setattr(onnx_file, "loaded", loading)
    monkeypatch.setattr(onnx_file, "PATIENCE_SECONDS", 0.01)

    with onnx_file._exporting:  # pyright: ignore[reportPrivateUsage]
        answer = workshop.raw("GET", "/v1/models/cook/download?format=onnx")

    assert (answer.status_code, answer.json()["code"]) == (503, "service_busy")
    assert "Retry-After" in answer.headers
    loading.assert_not_called()


def test_a_korean_name_comes_in_two_spellings(workshop: Workshop) -> None:
    workshop.a_trained_job(model="요리")
    said = download(workshop, "요리").headers["Content-Disposition"]
    assert 'filename="__-1.zip"' in said
    assert "filename*=UTF-8''%EC%9A%94%EB%A6%AC-1.zip" in said


def test_a_download_may_take_as_long_as_it_takes() -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            refuse_late()
            yield b"piece"

    def late() -> list[bytes]:
        begin_within(-1)
        return [*bundles.unhurried(pieces())]

    assert copy_context().run(late) == [b"piece"] * 3
