"""The main path over HTTP: POST a job, watch it, ask its model; on both databases."""

import base64
import gzip
from io import BytesIO

import httpx
import pytest
from PIL import Image

from service.client import Client
from service.domain.jobs import Job
from tests.integration.cases.folders import packed
from tests.integration.pictures import a_png, idx_images, idx_labels, pixels

WORDS = {"dataset": "eating", "architecture": {"type": "rnn", "hidden_size": 32}}
QUICK = {"max_steps": 30, "batch_size": 64}


def a_grey_png(shade: int) -> bytes:
    """Make a picture of one shade."""
    written = BytesIO()
    Image.new("L", (6, 6), shade).save(written, "PNG")
    return written.getvalue()


def finish(client: Client, job: Job) -> Job:
    """Wait until a job has ended; it must have succeeded."""
    ended = client.wait_for_job(job.id)
    assert ended.status == "succeeded", ended.error
    return ended


@pytest.fixture(scope="module")
def words(client: Client) -> Job:
    """A trained word model, called `words`."""
    training = {"epochs": 2, "batch_size": 64}
    return finish(client, client.create_job({**WORDS, "model": "words", "training": training}))


@pytest.fixture(scope="module")
def digits(client: Client) -> Job:
    """A barely trained image model, called `numbers`."""
    request = {"model": "numbers", "dataset": "digits", "architecture": "mlp", "training": QUICK}
    return finish(client, client.create_job(request))


def test_a_trained_word_model_completes_english_and_korean(client: Client, words: Job) -> None:
    answer = client.predict("words", ["I like eating", "내가 즐겨 먹는 것은"], top_k=5)
    assert answer.task == "next_word"
    for prediction in answer.predictions:
        assert len(prediction.candidates) == 5
        assert prediction.unknown == []
        chances = [candidate.probability for candidate in prediction.candidates]
        assert chances == sorted(chances, reverse=True)
        assert 0 < sum(chances) <= 1


def test_a_succeeded_job_tells_result_baseline_and_run(words: Job) -> None:
    assert words.result is not None
    assert words.result.metrics["val_perplexity"] is not None
    assert words.result.metrics["val_perplexity"] < words.result.baseline.metrics["val_perplexity"]
    assert words.run is not None
    assert words.run.parameters > 0
    assert words.progress.percent == 100
    assert words.started_at is not None
    assert words.ended_at is not None


def test_a_result_is_told_with_its_uncertainty(client: Client, words: Job, digits: Job) -> None:
    for job in (words, digits):
        assert job.result is not None
        told = job.result.evaluation
        assert told is not None
        assert client.get_model(job.result.model).latest.evaluation is not None
        for name, value in job.result.metrics.items():
            interval = told.intervals[name]
            assert interval.value == pytest.approx(value, rel=1e-4)
            assert interval.low < interval.value < interval.high
        assert told.calibration is not None
        assert told.calibration.error_before >= 0


def test_a_zip_of_pictures_is_looked_at_and_learned(client: Client) -> None:
    pictures = {
        f"{name}/{number}.png": a_grey_png(shade + number)
        for name, shade in (("dark", 0), ("bright", 200))
        for number in range(20)
    }
    spec = {"name": "shades", "type": "image_folder", "height": 8, "width": 8, "channels": 1}
    dataset = client.add_dataset(spec, {"file": packed(pictures)})
    shown = client.preview_dataset("shades", rows=4)
    measured = client.measure_dataset("shades")
    options = {"name": "shades", "shift": 1, "flip": True, "class_weights": "balanced"}
    training = {"epochs": 5, "batch_size": 8}
    request = {"dataset": options, "architecture": "mlp", "training": training}
    ended = finish(client, client.create_job(request))

    assert dataset.type == "image_folder"
    assert {str(row["label"]) for row in shown.rows} == {"bright", "dark"}
    assert client.preview_pictures("shades").startswith(b"\x89PNG")
    assert [each.training for each in measured.classes] == [18, 18]
    assert ended.result is not None
    assert ended.result.evaluation is not None
    assert ended.result.evaluation.confusion is not None
    assert ended.result.evaluation.confusion.labels == ["bright", "dark"]


def test_unknown_words_are_reported(client: Client, words: Job) -> None:
    answer = client.predict(words.id, ["I like zyzzyva"])
    assert answer.predictions[0].unknown == ["zyzzyva"]


@pytest.mark.parametrize("form", ["{model}", "{model}@1", "{id}", "{id}@best", "{id}@latest"])
def test_a_model_is_known_by_all_its_names(client: Client, words: Job, form: str) -> None:
    reference = form.format(model="words", id=words.id)
    assert client.predict(reference, ["I like"]).predictions[0].candidates


def test_a_checkpoint_and_a_version_id_are_models(client: Client, words: Job) -> None:
    assert words.result is not None
    by_version = client.predict(words.result.model_id, ["I like"])
    by_checkpoint = client.predict(words.result.checkpoint, ["I like"])
    assert by_version.predictions == by_checkpoint.predictions


def test_metrics_come_as_json_and_as_csv(http: httpx.Client, words: Job) -> None:
    path = f"/v1/jobs/{words.id}/metrics"
    series = http.get(path).json()["series"]
    assert {"train_loss", "val_loss", "val_perplexity", "lr", "gradient_norm"} <= set(series)
    lines = http.get(path, headers={"Accept": "text/csv"}).text.splitlines()
    assert lines[0] == "name,step,epoch,value"
    assert len(lines) - 1 == sum(len(each["step"]) for each in series.values())
    thin = http.get(path, params={"name": "train_loss", "max_points": 4}).json()
    assert list(thin["series"]) == ["train_loss"]
    assert thin["downsampled"]
    assert min(series["train_loss"]["value"]) in thin["series"]["train_loss"]["value"]


def test_checkpoints_are_listed_with_their_hashes(client: Client, words: Job) -> None:
    page = client.list_checkpoints(words.id)
    assert {checkpoint.kind for checkpoint in page.data} >= {"best", "latest"}
    assert all(len(checkpoint.state_sha256) == 64 for checkpoint in page.data)


def test_a_second_job_makes_a_second_version(client: Client, digits: Job) -> None:
    request = {"model": "numbers", "dataset": "digits", "architecture": "mlp", "training": QUICK}
    again = finish(client, client.create_job(request))
    assert digits.result is not None
    assert again.result is not None
    assert again.result.version == (digits.result.version or 0) + 1
    assert client.get_model("numbers").versions[:2] == [2, 1]


def test_images_are_taken_in_every_form(http: httpx.Client, digits: Job) -> None:
    path = f"/v1/models/{digits.id}/predict"
    png = a_png((8, 8))
    encoded = base64.b64encode(png).decode()
    answers = [
        http.post(path, content=png, headers={"Content-Type": "image/png"}),
        http.post(path, json={"inputs": [{"b64": encoded}]}),
        http.post(path, files={"file": ("digit.png", png)}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    first, *others = [answer.json()["predictions"] for answer in answers]
    assert all(other == first for other in others)
    rows = http.post(path, json={"inputs": [pixels(8)], "top_k": 3}).json()
    assert len(rows["predictions"][0]["candidates"]) == 3


def test_a_picture_of_another_size_and_mode_is_converted(client: Client, digits: Job) -> None:
    answer = client.predict(digits.id, [a_png((100, 60), mode="RGB")])
    assert sum(each.probability for each in answer.predictions[0].candidates) <= 1.0001


def test_a_job_answers_while_it_trains_and_stops_when_told(client: Client) -> None:
    request = {"dataset": "digits", "architecture": "mlp", "training": {"epochs": 5000}}
    job = client.create_job(request)
    for seen in client.follow_job(job.id):
        if client.list_checkpoints(seen.id).data:
            break
    assert client.predict(job.id, [pixels(8)]).predictions
    assert client.get_job(job.id).status == "running"

    client.pause_job(job.id)
    paused = until(client, job, "paused")
    assert paused.progress.step > 0
    client.resume_job(job.id)
    until(client, job, "running")
    assert client.cancel_job(job.id).status_reason == "cancelling"
    cancelled = until(client, job, "cancelled")
    assert cancelled.progress.step >= paused.progress.step
    client.delete_job(job.id)


def until(client: Client, job: Job, status: str) -> Job:
    """Wait until a job has a status."""
    for _ in range(60):
        job = client.get_job(job.id, wait=5)
        if job.status == status:
            return job
    raise AssertionError(job)


def test_an_uploaded_text_can_be_learned(client: Client) -> None:
    text = "해가 뜨면 따뜻하다\n달이 뜨면 춥다\nthe sun is warm\nthe moon is cold\n" * 5
    dataset = client.add_dataset({"name": "하늘", "type": "text"}, {"file": text.encode()})
    assert dataset.type == "text"
    request = {
        "model": "하늘",
        "dataset": "하늘",
        "architecture": "rnn",
        "training": {"max_steps": 5},
    }
    finish(client, client.create_job(request))
    assert client.predict("하늘", ["해가 뜨면"]).predictions[0].unknown == []


def test_uploaded_images_can_be_learned_plain_and_gzipped(client: Client) -> None:
    labels = [index % 3 for index in range(60)]
    files = {"images": gzip.compress(idx_images(60)), "labels": idx_labels(labels)}
    spec = {"name": "noise", "type": "idx", "classes": ["a", "b", "c"]}
    assert client.add_dataset(spec, files).sha256 == client.add_dataset(spec, files).sha256
    request = {"dataset": "noise", "architecture": "mlp", "training": {"max_steps": 3}}
    job = finish(client, client.create_job(request))
    candidates = client.predict(job.id, [pixels(6)]).predictions[0].candidates
    assert len(candidates) == 3


def test_a_read_with_an_etag_is_answered_304_until_something_changes(
    http: httpx.Client, words: Job
) -> None:
    first = http.get(f"/v1/jobs/{words.id}")
    again = http.get(f"/v1/jobs/{words.id}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_waiting_for_an_ended_job_is_answered_at_once(http: httpx.Client, words: Job) -> None:
    answer = http.get(f"/v1/jobs/{words.id}", headers={"Prefer": "wait=60"}, timeout=20)
    assert answer.json()["status"] == "succeeded"


def test_lists_are_filtered_and_paged(client: Client, http: httpx.Client) -> None:
    made = [
        client.create_job(
            {**WORDS, "metadata": {"lesson": "paging"}, "training": {"device": "mps"}}
        )  # no worker on Linux has such a device: they stay in the queue
        for _ in range(3)
    ]
    for job in made:
        client.cancel_job(job.id)
    first = http.get("/v1/jobs", params={"metadata.lesson": "paging", "limit": 2}).json()
    rest = {"metadata.lesson": "paging", "limit": 2, "after": first["last_id"]}
    second = http.get("/v1/jobs", params=rest).json()
    ids = [each["id"] for each in first["data"] + second["data"]]
    assert ids == [job.id for job in reversed(made)]
    assert first["has_more"]
    assert not second["has_more"]
    for job in made:
        client.delete_job(job.id)


def test_a_plan_stores_nothing(client: Client) -> None:
    before = client.list_jobs(limit=1).first_id
    plan = client.plan_job({"dataset": "fashion-mnist-mini", "architecture": "cnn"})
    assert plan.parameters > 100_000
    assert plan.steps == plan.steps_per_epoch * (plan.spec.training.epochs or 0)
    assert client.list_jobs(limit=1).first_id == before


def test_a_diverging_job_fails_with_a_learning_rate_to_try(client: Client) -> None:
    request = {
        "dataset": "digits",
        "architecture": {"type": "mlp", "activation": "relu"},
        "optimizer": {"type": "sgd", "lr": 1000.0, "momentum": 0.9},
        "schedule": "constant",
    }
    job = client.wait_for_job(client.create_job(request).id)
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.code == "loss_not_finite"
    assert "learning rate of 100" in (job.error.hint or "")


def test_the_system_tells_what_is_in_the_database(http: httpx.Client, words: Job) -> None:
    tables = http.get("/v1/system").json()["database"]["tables"]
    for name in ("jobs", "metrics", "checkpoints", "models", "datasets"):
        assert tables[name]["rows"] > 0
        assert tables[name]["bytes"] > 0
