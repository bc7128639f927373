"""Sessions of several callers of one service, each with a key."""

from pathlib import Path

import pytest

from service.client import Client, NotFoundError
from tests.integration.conftest import running

MODEL = "remembers"


@pytest.mark.slow
def test_another_key_has_sessions_of_its_own(tmp_path: Path) -> None:
    keys = "ann:admin:ty_ann,bob:predict:ty_bob"
    database = f"sqlite:///{tmp_path}/trainyard.db"
    with (
        running(database, tmp_path, TRAINYARD_API_KEYS=keys) as url,
        Client(url, api_key="ty_ann") as ann,
        Client(url, api_key="ty_bob") as bob,
    ):
        quick = {"dataset": "eating", "architecture": "rnn", "training": {"max_steps": 2}}
        job = ann.wait_for_job(ann.create_job({**quick, "model": MODEL}).id)
        assert job.status == "succeeded"

        answers = [
            caller.predict(MODEL, [text], session="same").session
            for caller, text in ((ann, "I like"), (bob, "rice"), (ann, "soup"), (bob, "and tea"))
        ]
        with pytest.raises(NotFoundError):
            bob.predict(MODEL, ["rice"], session="of nobody", session_must_exist=True)
        bob.delete_session(MODEL, "same")
        left = ann.predict(MODEL, [""], session="same", session_must_exist=True).session

    begun = [(each.started, each.tokens) for each in answers if each is not None]
    assert begun == [(True, 2), (True, 1), (False, 3), (False, 3)]
    assert left is not None
    assert left.tokens == 3
