"""The client commands against a real service."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from service.cli.demo.service import ServiceProcess
from service.client import Client
from tests.cli.conftest import LIMIT_SECONDS, Trainyard

LONG = ["--dataset", "eating", "--architecture", "rnn", "--epochs", "100000"]


def test_train_prints_the_id_first_and_the_end_against_the_baseline(trainyard: Trainyard) -> None:
    ended = trainyard(
        *["train", "--dataset", "eating", "--architecture", "rnn", "--model", "short"],
        *["--set", "architecture.hidden_size=4", "--epochs", "1"],
    )

    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("job_")
    assert f"{lines[0]} succeeded: model short@1" in lines
    assert any("baseline (unigram)" in line for line in lines)
    assert any("95 % interval" in line for line in lines)
    assert any("val_loss" in line for line in lines)


def test_train_without_watching_returns_at_once_with_json(
    trainyard: Trainyard, client: Client
) -> None:
    ended = trainyard("train", *LONG, "--no-watch", "--json")

    job = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert job["status"] == "queued"
    assert client.cancel_job(job["id"]).status in {"cancelled", "running"}


def test_train_under_an_id_of_ones_own_starts_one_job(trainyard: Trainyard, client: Client) -> None:
    command = ["train", *LONG, "--client-id", "밤/1", "--no-watch"]

    first, again, other = (trainyard(*command, *more) for more in ([], [], ["--seed", "1"]))

    assert first.returncode == again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert other.returncode == 1
    assert "made of another request" in other.stderr
    client.cancel_job(first.stdout.strip())


def test_events_are_shown_replayed_and_written_as_json(
    trainyard: Trainyard, client: Client
) -> None:
    tiny = {"dataset": "eating", "architecture": "rnn", "training": {"max_steps": 3}}
    job = client.wait_for_job(client.create_job(tiny).id, deadline=LIMIT_SECONDS)

    shown = trainyard("jobs", "events", job.id)
    followed = trainyard("jobs", "events", job.id, "--follow", "--json")
    replayed = trainyard("jobs", "events", job.id, "--speed", "1000")

    assert shown.returncode == followed.returncode == replayed.returncode == 0, shown.stderr
    types = [json.loads(line)["type"] for line in followed.stdout.splitlines()]
    assert types[:3] == ["queued", "claimed", "started"]
    assert types[-1] == "succeeded"
    assert [line.split()[2] for line in shown.stdout.splitlines()] == types
    assert replayed.stdout == shown.stdout


def test_a_plan_stores_nothing(trainyard: Trainyard, client: Client) -> None:
    before = client.list_jobs(limit=1).first_id

    ended = trainyard("train", *LONG, "--plan")

    assert ended.returncode == 0, ended.stderr
    assert "parameters" in ended.stdout
    assert client.list_jobs(limit=1).first_id == before


def test_an_lr_is_for_the_optimizer_that_suits_and_its_test_is_told(
    trainyard: Trainyard, client: Client
) -> None:
    ended = trainyard(
        *["train", "--dataset", "eating", "--architecture", "rnn", "--lr", "auto"],
        *["--set", "architecture.hidden_size=4", "--max-steps", "30", "--batch-size", "8"],
    )

    assert ended.returncode == 0, ended.stderr
    job = client.get_job(ended.stdout.splitlines()[0])
    optimizer = job.spec.optimizer.options()
    assert (optimizer["type"], optimizer["lr"]) == ("adamw", "auto")
    [test] = client.list_events(job.id, event_type="range_test").data
    assert test.data["lr"] == job.picked_lr
    assert f"learning rate {job.picked_lr:g}, picked by a range test" in ended.stdout
    assert f"{job.picked_lr:g}, picked by a range test" in trainyard("jobs", "show", job.id).stdout


def test_a_recipe_is_shown_and_trained_with_a_knob_turned(
    trainyard: Trainyard, client: Client
) -> None:
    listed, shown = trainyard("recipes"), trainyard("recipes", "show", "lr-diverges")
    assert "lr-diverges" in listed.stdout
    assert "loss_not_finite" in shown.stdout
    started = trainyard(
        *["train", "--recipe", "lr-diverges", "--no-watch"],
        *["--set", "optimizer.lr=0.05", "--max-steps", "1", "--set", "training.epochs=null"],
    )
    assert started.returncode == 0, started.stderr
    job = client.cancel_job(started.stdout.strip())
    assert job.spec.optimizer.options()["lr"] == 0.05
    assert job.spec.architecture.options()["hidden_sizes"] == [32]
    both = trainyard("train", "--recipe", "lr-diverges", "--file", "job.json")
    assert both.returncode == 2
    unknown = trainyard("train", "--recipe", "lr-diverge")
    assert "did you mean 'lr-diverges'?" in unknown.stderr


def test_wrong_fields_are_said_one_by_one(trainyard: Trainyard) -> None:
    ended = trainyard("train", *LONG, "--set", "training.seed=-1", "--batch-size", "0")

    assert ended.returncode == 1
    assert "/training/seed" in ended.stderr
    assert "/training/batch_size" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_watching_a_cancelled_job_ends_with_1(trainyard: Trainyard, client: Client) -> None:
    job = client.create_job({"dataset": "eating", "architecture": "rnn"})
    client.cancel_job(job.id)

    ended = trainyard("watch", job.id)

    assert ended.returncode == 1
    assert "cancelled" in ended.stdout


def test_interrupting_watch_leaves_the_job_running_and_says_so(
    running: ServiceProcess, client: Client
) -> None:
    command = [sys.executable, "-m", "service", "train", *LONG, "--url", running.url]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        job_id = process.stdout.readline().strip()
        process.stdout.readline()  # the bar has begun
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT_SECONDS)

    assert process.returncode == 130
    assert f"{job_id} goes on" in said
    assert client.get_job(job_id).status in {"queued", "running"}
    client.cancel_job(job_id)
    assert client.wait_for_job(job_id, deadline=LIMIT_SECONDS).status == "cancelled"


def test_predict_prints_candidates_with_probabilities(trainyard: Trainyard, trained: str) -> None:
    ended = trainyard("predict", "tiny", "I like eating", "zzz", "--top-k", "3")

    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stderr
    assert lines[0] == "I like eating"
    assert all("%" in line for line in lines[1:4])
    assert "  unknown words: zzz" in lines


def test_predict_for_scripts_is_the_answer_of_the_service(
    trainyard: Trainyard, trained: str
) -> None:
    answer = json.loads(trainyard("predict", trained, "I like", "--json").stdout)

    assert len(answer["predictions"][0]["candidates"]) == 5


def test_predict_shows_the_nearest_training_examples(trainyard: Trainyard, trained: str) -> None:
    ended = trainyard("predict", "tiny", "I like eating", "--top-k", "1", "--evidence", "2")

    assert ended.returncode == 0, ended.stderr
    shown = ended.stdout.splitlines()[2:]
    assert [line.split()[0] for line in shown] == ["line", "line"]
    assert "i like eating → " in shown[0]
    assert "(distance " in shown[0]


def test_a_row_of_a_table_is_answered_with_its_value_and_unit(trainyard: Trainyard) -> None:
    settings = ["--set", 'dataset.features=["month", "hour", "cloud_cover_tenths"]']
    learned = trainyard(
        *["train", "--dataset", "solar", "--architecture", "mlp", "--epochs", "1"],
        *["--model", "sun", *settings],
    )
    ended = trainyard("predict", "sun", '{"month": 6, "hour": 12, "cloud_cover_tenths": 99}')

    assert learned.returncode == ended.returncode == 0, learned.stderr + ended.stderr
    row, value, warning = ended.stdout.splitlines()
    assert row == '{"month": 6, "hour": 12, "cloud_cover_tenths": 99}'
    assert value.endswith(" kW")
    assert "outside" in warning


def test_a_model_writes_on_and_tells_its_seed(trainyard: Trainyard, trained: str) -> None:
    arguments = ("generate", "tiny", "I like", "--max-tokens", "4", "--temperature", "0")

    printed, whole = trainyard(*arguments), trainyard(*arguments, "--json")

    assert printed.stdout.startswith("I like")
    assert printed.stdout.strip() == f"I like{json.loads(whole.stdout)['text']}".strip()
    assert "seed" in printed.stderr


def test_a_model_gets_an_alias_a_description_and_a_card(trainyard: Trainyard, trained: str) -> None:
    named = trainyard("models", "alias", "tiny", "champion", "1")
    described = trainyard("models", "describe", "tiny", "--description", "Small.", "--tag", "작은")
    card = trainyard("models", "card", "tiny@champion").stdout
    refused = trainyard("models", "delete", "tiny@1")
    forgotten = trainyard("models", "alias", "tiny", "champion")

    assert (named.stdout.strip(), described.stdout.strip()) == (
        "tiny@champion is tiny@1", "tiny: 작은",
    )  # fmt: skip
    assert "Small." in card
    assert trained in card
    assert refused.returncode == 1
    assert "champion" in refused.stderr
    assert forgotten.returncode == 0
    assert "champion" not in trainyard("models", "show", "tiny").stdout


def test_a_model_leaves_as_a_file_and_comes_back_under_another_name(
    trainyard: Trainyard, trained: str, tmp_path: Path
) -> None:
    downloaded = trainyard("models", "download", "tiny")
    named = trainyard("models", "download", trained, "-o", "mine.zip")
    brought = trainyard("models", "import", "tiny-1.zip", "--name", "brought")
    asked = [trainyard("predict", name, "I like").stdout for name in ("tiny", "brought")]

    assert (downloaded.stdout, named.stdout) == ("tiny-1.zip\n", "mine.zip\n"), downloaded.stderr
    assert (tmp_path / "mine.zip").read_bytes() == (tmp_path / "tiny-1.zip").read_bytes()
    assert brought.stdout == "brought@1\n", brought.stderr
    assert asked[0] == asked[1]
    refused = trainyard("models", "import", "tiny-1.zip", "--name", "a b")
    assert (refused.returncode, "/name" in refused.stderr) == (1, True)


def test_what_exists_is_listed_and_shown(trainyard: Trainyard, trained: str) -> None:
    assert trained in trainyard("jobs").stdout
    assert "succeeded" in trainyard("jobs", "show", trained).stdout
    assert "tiny" in trainyard("models").stdout
    assert "tiny@1" in trainyard("models", "show", "tiny").stdout
    assert "fashion-mnist-mini" in trainyard("datasets").stdout
    assert "sha256" in trainyard("datasets", "show", "eating").stdout
    assert json.loads(trainyard("jobs", "--json").stdout)["object"] == "list"


def test_a_dataset_is_added_shown_and_deleted(trainyard: Trainyard, tmp_path: Path) -> None:
    poem = tmp_path / "poem.txt"
    poem.write_text("roses are red\nviolets are blue\n", encoding="utf-8")

    added = trainyard("datasets", "add", "poem", "--file", str(poem), "--licence", "CC0")
    again = trainyard("datasets", "add", "poem", "--file", str(poem), "--stream")
    deleted = trainyard("datasets", "delete", "poem")
    gone = trainyard("datasets", "show", "poem")

    assert (added.returncode, again.returncode, deleted.returncode, gone.returncode) == (0, 1, 0, 1)
    assert "2 lines" in added.stdout
    assert "CC0" in added.stdout


def test_pausing_resuming_and_deleting_a_job(trainyard: Trainyard, client: Client) -> None:
    job = client.create_job(
        {"dataset": "eating", "architecture": "rnn", "training": {"epochs": 100_000}}
    )
    assert trainyard("jobs", "pause", job.id).returncode == 0
    assert client.wait_for_job(job.id, deadline=LIMIT_SECONDS).status == "paused"

    assert trainyard("jobs", "resume", job.id).returncode == 0
    assert trainyard("jobs", "cancel", job.id).returncode == 0
    assert client.wait_for_job(job.id, deadline=LIMIT_SECONDS).status == "cancelled"
    assert trainyard("jobs", "delete", job.id).returncode == 0

    shown = trainyard("jobs", "show", job.id)
    assert shown.returncode == 1
    assert "no job with this id" in shown.stderr


def test_a_job_is_forked_and_its_checkpoint_promoted(trainyard: Trainyard, client: Client) -> None:
    job = client.create_job(
        {"dataset": "eating", "architecture": "rnn", "training": {"max_steps": 2}}
    )
    assert client.wait_for_job(job.id).status == "succeeded"
    checkpoint = client.list_checkpoints(job.id).data[0].id

    forked = trainyard("jobs", "fork", job.id, "--max-steps", "3", "--set", "optimizer.lr=0.001")
    promoted = trainyard("models", "promote", "from-a-fork", checkpoint)
    shown = trainyard("models", "show", "from-a-fork")

    ended = client.wait_for_job(forked.stdout.strip())
    assert (ended.status, ended.parent_job, ended.progress.step) == ("succeeded", job.id, 3)
    assert ended.spec.optimizer.options()["lr"] == 0.001
    assert promoted.stdout.strip() == "from-a-fork@1"
    assert checkpoint in shown.stdout
    assert "baseline unigram" in shown.stdout


def test_files_are_added_by_what_they_are_and_looked_at(
    trainyard: Trainyard, tmp_path: Path
) -> None:
    table = tmp_path / "power.csv"
    table.write_text("hours,power\n" + "".join(f"{n},{10 * n}\n" for n in range(30)))

    planned = trainyard("datasets", "add", str(table), "--dry-run")
    added = trainyard("datasets", "add", str(table), "--set", "target=power")
    shown = trainyard("datasets", "preview", "power", "--rows", "2")
    measured = trainyard("datasets", "statistics", "power")

    assert "power (table) would be taken in" in planned.stdout, planned.stderr
    assert added.returncode == 0, added.stderr
    assert "30 rows of 2 columns, target power" in added.stdout
    assert shown.stdout.splitlines()[0].split() == ["hours", "power"]
    assert "power (target)" in measured.stdout


def test_wrong_lines_are_shown_with_what_stands_there(trainyard: Trainyard, tmp_path: Path) -> None:
    table = tmp_path / "ragged.csv"
    table.write_text("a,b\n" + "".join(f"{n},{n}\n" for n in range(30)) + "3,4,5\n")

    refused = trainyard("datasets", "add", str(table))
    skipped = trainyard("datasets", "add", str(table), "--on-error", "skip")

    assert refused.returncode == 1
    assert "3,4,5" in refused.stdout
    assert "line 32" in refused.stderr
    assert skipped.returncode == 0, skipped.stderr


def test_pictures_are_saved_as_one(trainyard: Trainyard, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    saved = trainyard("datasets", "preview", "digits", "--save", str(sheet))
    assert saved.returncode == 0, saved.stderr
    assert sheet.read_bytes().startswith(b"\x89PNG")
