"""Certificates over HTTP and in the shell: equal runs have one hash, others another."""

import json

from service.client import Client
from tests.cli.conftest import Trainyard

REQUEST = {"dataset": "eating", "architecture": {"type": "rnn", "hidden_size": 4}}


def trained_with(client: Client, *, seed: int, pause: bool = False) -> str:
    training = {"max_steps": 40, "seed": seed, "checkpoint": {"every_steps": 5}}
    job = client.create_job({**REQUEST, "training": training, "metadata": {"paused": str(pause)}})
    if pause and client.pause_job(job.id).status == "paused":
        client.resume_job(job.id)
    *_, end = client.follow_job(job.id)
    assert end.status == "succeeded"
    return job.id


def test_runs_of_one_request_have_one_certificate(client: Client) -> None:
    quiet, paused, other = (
        client.get_certificate(trained_with(client, seed=seed, pause=pause))
        for seed, pause in ((0, False), (0, True), (1, False))
    )

    assert quiet.sha256 == paused.sha256 != other.sha256
    assert (quiet.exact, quiet.links) == (True, len([each for each in quiet.chain if each.link]))
    assert quiet.environments[0].environment["threads"] == 1


def test_a_certificate_is_shown_and_written_as_json(trainyard: Trainyard, trained: str) -> None:
    shown = trainyard("jobs", "certificate", trained).stdout
    written = json.loads(trainyard("jobs", "certificate", trained, "--json").stdout)

    assert written["object"] == "certificate"
    assert shown.splitlines()[-1] == written["sha256"]
    assert written["chain"][-1]["state_sha256"][:16] in shown
    assert "from step 0 exactly, on device cpu" in shown
