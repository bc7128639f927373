"""The demonstration's words: an RNN on a small grammar, and one on real English."""

from collections.abc import Mapping
from itertools import pairwise

from rich.markup import escape

from service.cli import output
from service.cli.demo.proof import Proof
from service.cli.predict import print_candidates
from service.cli.watch import Bar
from service.client import Client
from service.domain.jobs import Job

EATING = {
    "model": "eating",
    "dataset": "eating",
    "architecture": {"type": "rnn", "hidden_size": 64},
}
EATING_PROMPTS = ("I like eating", "내가 즐겨 먹는 것은")
EATING_TIMES_BETTER = 5.0

ENGLISH = {
    "model": "english",
    "dataset": {"name": "python-docs", "min_count": 2},
    "architecture": {"type": "rnn", "hidden_size": 128, "embedding_size": 64, "dropout": 0.3},
    "training": {"epochs": 6},
}
ENGLISH_PROMPTS = ("The value of the", "If the object is", "A class can")
ENGLISH_TIMES_BETTER = 1.8
WORDS_TO_ADD = 7


def show_eating(client: Client, proof: Proof) -> None:
    """Train on `eating` and ask what comes next, in English and in Korean."""
    job = trained(client, EATING, proof)
    proof.expect_lower_perplexity(job, at_least=EATING_TIMES_BETTER)
    answer = client.predict("eating", EATING_PROMPTS, top_k=5)
    for prompt, prediction in zip(EATING_PROMPTS, answer.predictions, strict=True):
        output.results.print(f"\n  [bold]{prompt} …[/]")
        print_candidates(prediction)
        proof.expect_candidates(prediction.candidates, count=5, what=f"“{prompt} …”")
        proof.expect(not prediction.unknown, "every word of the prompt is known")


def show_english(client: Client, proof: Proof) -> None:
    """Train on real English and complete prompts, a probable word at a time."""
    job = trained(client, ENGLISH, proof)
    proof.expect_lower_perplexity(job, at_least=ENGLISH_TIMES_BETTER)
    for prompt in ENGLISH_PROMPTS:
        added = complete(client, "english", prompt)
        output.results.print(f"  [bold]{prompt}[/] {escape(' '.join(added))}")
        proof.expect(len(added) == WORDS_TO_ADD, f"“{prompt} …” goes on by {len(added)} words")


def trained(client: Client, body: Mapping[str, object], proof: Proof) -> Job:
    """Post a job and follow it with a live bar until it has succeeded."""
    job = client.create_job(body)
    output.results.print(f"  POST /v1/jobs → 202, {job.id}")
    with Bar(client, output.results) as bar:
        job = client.wait_for_job(job.id, progress=bar.show)
    proof.expect_success(job)
    return job


def complete(client: Client, model: str, prompt: str) -> list[str]:
    """Return the words that the model adds, one `/predict` each.

    Always the most probable word that makes no pair of words a second time: a small model would go
    round in circles otherwise.
    """
    words = prompt.lower().split()
    begun = len(words)
    while len(words) < begun + WORDS_TO_ADD:
        answer = client.predict(model, [" ".join(words)], top_k=10)
        proposed = [str(one.model_dump()["token"]) for one in answer.predictions[0].candidates]
        pairs = {*pairwise(words)}
        words.append(next((word for word in proposed if (words[-1], word) not in pairs), "…"))
    return words[begun:]
