"""A prediction goes from a name in the database to probabilities."""

import asyncio
import math
from datetime import timedelta
from io import BytesIO
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from service.catalogue import Catalogue
from service.datasets import registry
from service.domain.datasets import TextDatasetSpec
from service.domain.evaluations import Calibration, Evaluation
from service.domain.generations import GenerateRequest
from service.domain.jobs import Claim, NewJob
from service.domain.predictions import PredictResponse, TokenCandidate
from service.domain.problems import Busy, Invalid
from service.domain.scores import ScoreResponse
from service.prediction.engine import MAX_WRITING, Predictor, Writing
from service.store import claims, datasets, deadline, jobs
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database, database_now
from service.store.errors import ModelNotFound
from service.store.recorder import DatabaseRecorder
from service.training.loop import train

CATALOGUE = Catalogue.installed()
TEXT = "\n".join(
    f"{who} like eating {food} with {other}"
    for who in ("I", "you", "we")
    for food in ("rice", "soup", "bread")
    for other in ("tea", "milk", "water")
).encode()


def a_trained_model(
    database: Database,
    name: str = "eating",
    *,
    evaluation: Evaluation | None = None,
    **training: Any,
) -> Claim:
    """Train a small RNN as a worker does, and make a model version of it."""
    spec = TextDatasetSpec(name="small", type="text")
    new = registry.take_in(spec, {"file": BytesIO(TEXT)}, DatabaseBlobs(database))
    with database.begin() as session:
        datasets.add_dataset(session, new, now=database_now(session))
        facts = datasets.get_facts(session, new.name)
        request = CATALOGUE.job_request.model_validate(
            {
                "model": name,
                "dataset": {"name": "small"},
                "architecture": {"type": "rnn", "hidden_size": 16},
                "optimizer": {"type": "adam", "lr": 0.02},
                "training": {"epochs": 15, "batch_size": 8, "device": "cpu", **training},
            }
        )
        resolved = CATALOGUE.resolve(request, facts)
        jobs.enqueue(session, NewJob(spec=resolved), now=database_now(session))
        claim = claims.claim(
            session,
            worker_id="wrk_1",
            devices=["cpu"],
            components=CATALOGUE.components(),
            lease_for=timedelta(hours=1),
            now=database_now(session),
        )
    assert claim is not None
    trainable = CATALOGUE.build(resolved, registry.load(facts, DatabaseBlobs(database)))
    recorder = DatabaseRecorder(database, claim, lambda: None)
    train(trainable, resolved, recorder, device=torch.device("cpu"))
    with database.begin() as session:
        claims.succeed(
            session,
            claim.lease,
            baseline=trainable.baseline,
            evaluation=evaluation,
            now=database_now(session),
        )
    return claim


def predict(predictor: Predictor, reference: str, *inputs: Any, top_k: int = 3) -> PredictResponse:
    asked = predictor.predict(reference, list(inputs), top_k=top_k, special_tokens=False)
    return asyncio.run(asked)


def words(answer: PredictResponse, index: int = 0) -> list[str]:
    candidates = answer.predictions[index].candidates
    return [each.token for each in candidates if isinstance(each, TokenCandidate)]


CALIBRATION = Calibration(temperature=2.5, error_before=0.2, error_after=0.02, examples=900)
MEASURED = Evaluation(examples=900, calibration=CALIBRATION)


def asked(predictor: Predictor, reference: str = "eating", **more: Any) -> PredictResponse:
    question = predictor.predict(
        reference, ["I like eating"], top_k=1000, special_tokens=True, **more
    )
    return asyncio.run(question)


def logprobs(answer: PredictResponse) -> dict[str, float]:
    candidates = answer.predictions[0].candidates
    return {each.token: each.logprob for each in candidates if isinstance(each, TokenCandidate)}


def test_probabilities_are_calibrated_unless_raw_ones_are_asked_for(database: Database) -> None:
    claim = a_trained_model(database, evaluation=MEASURED)
    predictor = Predictor(database, CATALOGUE, memory_bytes=10**8)

    calibrated, raw = asked(predictor), asked(predictor, probabilities="raw")
    of_checkpoint = asked(predictor, f"{claim.job_id}@best")

    assert (calibrated.temperature, raw.temperature) == (2.5, None)
    assert of_checkpoint.temperature == 2.5  # the same weights
    assert logprobs(of_checkpoint) == pytest.approx(logprobs(calibrated))
    divided = {name: logprob / 2.5 for name, logprob in logprobs(raw).items()}
    total = math.log(sum(map(math.exp, divided.values())))
    expected = {name: logprob - total for name, logprob in divided.items()}
    assert logprobs(calibrated) == pytest.approx(expected, rel=1e-5)
    shares = [each.probability for each in calibrated.predictions[0].candidates]
    assert sum(shares) == pytest.approx(1)


def test_who_is_not_sure_enough_abstains_and_shows_its_candidates(database: Database) -> None:
    a_trained_model(database)
    predictor = Predictor(database, CATALOGUE, memory_bytes=10**8)
    best = asked(predictor).predictions[0].candidates[0].probability

    strict, lenient = (
        asked(predictor, abstain_below=below).predictions[0] for below in (best + 1e-6, best - 1e-6)
    )

    assert (strict.abstained, lenient.abstained) == (True, False)
    assert strict.candidates == lenient.candidates
    assert asked(predictor).predictions[0].abstained is None


def test_a_model_answers_by_each_of_its_names(database: Database) -> None:
    job_id = a_trained_model(database).job_id
    predictor = Predictor(database, CATALOGUE, memory_bytes=1 << 20)

    answer = predict(predictor, "eating", "I like eating")

    assert set(words(answer)) == {"rice", "soup", "bread"}
    assert (answer.model, answer.version, answer.task) == ("eating", 1, "next_word")
    assert answer.timings.batch_size == 1
    for reference in ("eating@1", job_id, f"{job_id}@best", str(answer.checkpoint)):
        assert predict(predictor, reference, "I like eating").predictions == answer.predictions


def test_an_answer_does_not_depend_on_what_was_asked_beside_it(database: Database) -> None:
    a_trained_model(database)
    predictor = Predictor(database, CATALOGUE, memory_bytes=1 << 20)

    together = predict(predictor, "eating", "I like eating", "you", "we like eating rice with")
    alone = predict(predictor, "eating", "we like eating rice with")

    assert set(words(together, 2)) == {"tea", "milk", "water"}
    for one, other in zip(
        together.predictions[2].candidates, alone.predictions[0].candidates, strict=True
    ):
        assert one.probability == pytest.approx(other.probability, abs=1e-6)


def test_a_newer_version_is_served_at_once(sqlite_database: Database) -> None:
    predictor = Predictor(sqlite_database, CATALOGUE, memory_bytes=1 << 20)
    a_trained_model(sqlite_database)
    first = predict(predictor, "eating", "I like")

    a_trained_model(sqlite_database, seed=1)

    assert (first.version, predict(predictor, "eating", "I like").version) == (1, 2)


def test_a_model_larger_than_the_budget_is_served_all_the_same(sqlite_database: Database) -> None:
    a_trained_model(sqlite_database)
    predictor = Predictor(sqlite_database, CATALOGUE, memory_bytes=1)

    assert len(words(predict(predictor, "eating", "I like eating"))) == 3


def test_who_asks_at_once_is_answered_together_as_if_alone(sqlite_database: Database) -> None:
    a_trained_model(sqlite_database)
    predictor = Predictor(sqlite_database, CATALOGUE, memory_bytes=1 << 20)
    texts = ["I like", "you like eating rice with", "we"] * 12

    async def at_once() -> list[PredictResponse]:
        asked = (predictor.predict("eating", [t], top_k=3, special_tokens=False) for t in texts)
        return await asyncio.gather(*asked)

    predict(predictor, "eating", "I")  # loaded: nobody waits for the weights below
    answers = asyncio.run(at_once())

    assert max(answer.timings.batch_size for answer in answers) > 1
    for text, answer in zip(texts, answers, strict=True):
        alone = predict(predictor, "eating", text)
        assert words(answer) == words(alone)


def test_unknown_models_and_wrong_inputs_are_problems(sqlite_database: Database) -> None:
    a_trained_model(sqlite_database)
    predictor = Predictor(sqlite_database, CATALOGUE, memory_bytes=1 << 20)

    with pytest.raises(ModelNotFound):
        predict(predictor, "eatinf", "I like")
    with pytest.raises(Invalid) as caught:
        predict(predictor, "eating", 3)
    assert caught.value.errors[0].pointer.startswith("/inputs/0")


def test_scores_that_have_begun_in_time_take_as_long_as_they_take(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_trained_model(sqlite_database)
    predictor = Predictor(sqlite_database, CATALOGUE, memory_bytes=10**8)
    now = [0.0]
    monkeypatch.setattr(deadline, "time", Mock(monotonic=lambda: now[0]))

    async def heard_a_second_later() -> bool:
        now[0] += 1
        return True

    async def ask(seconds: float) -> ScoreResponse:
        now[0] = 0
        deadline.begin_within(seconds)
        return await predictor.score(
            "eating", ["I like", "you", "we"], is_heard=heard_a_second_later
        )

    assert len(asyncio.run(ask(1.5)).scores) == 3
    with pytest.raises(Busy):
        asyncio.run(ask(0.5))


def test_only_so_many_texts_are_written_at_once_and_places_come_back(database: Database) -> None:
    a_trained_model(database)
    predictor = Predictor(database, CATALOGUE, memory_bytes=10**8)
    request = GenerateRequest(prompt="I like", max_tokens=3)

    async def begin(count: int) -> list[Writing | BaseException]:
        begun = (predictor.begin_to_write("eating", request, owner=None) for _ in range(count))
        return list(await asyncio.gather(*begun, return_exceptions=True))

    first = asyncio.run(begin(MAX_WRITING + 5))
    assert sum(isinstance(each, Busy) for each in first) == 5
    first.clear()  # nobody wrote: clients went before

    assert not any(isinstance(each, Busy) for each in asyncio.run(begin(MAX_WRITING)))
