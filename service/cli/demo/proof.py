"""What the demonstration must show: every expectation is said, with numbers, and counted."""

from collections.abc import Sequence

from rich.markup import escape

from service.cli import output
from service.domain.jobs import Job
from service.domain.predictions import LabelCandidate, TokenCandidate

Candidates = Sequence[TokenCandidate | LabelCandidate]


class StepFailedError(Exception):
    """A step did not come to its end, so the steps after it have nothing to show."""


class Proof:
    """Collects what was expected and did not come true."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.count = 0

    def expect(self, true: bool, what: str) -> None:
        """Say whether `what` came true."""
        self.count += 1
        if not true:
            self.failures.append(what)
        mark = "[green]✓[/]" if true else "[bold red]✗[/]"
        output.results.print(f"  {mark} {escape(what)}", soft_wrap=True)

    def expect_success(self, job: Job) -> None:
        """Expect that a job succeeded. Raises StepFailedError if it did not."""
        reason = f": {job.error.message}" if job.error else ""
        self.expect(job.status == "succeeded", f"{job.id} {job.status}{reason}")
        if job.status != "succeeded":
            raise StepFailedError(f"{job.id} did not succeed")

    def expect_candidates(self, candidates: Candidates, *, count: int, what: str) -> None:
        """Expect so many candidates, best first, with probabilities that are some."""
        given = [candidate.probability for candidate in candidates]
        real = all(0 < value <= 1 for value in given) and sum(given) < 1 + 1e-4
        ordered = given == sorted(given, reverse=True)
        self.expect(
            len(given) == count and real and ordered,
            f"{what}: {len(given)} candidates, together {sum(given):.1%}",
        )

    def expect_lower_perplexity(self, job: Job, *, at_least: float) -> None:
        """Expect a perplexity that is `at_least` times lower than the baseline's."""
        reached, guess, name = compared(job, "val_perplexity")
        self.expect(
            guess >= at_least * reached,
            f"perplexity {reached:.1f} against {guess:.1f} of the {name} guess: "
            f"{guess / reached:.1f} times better (needed: {at_least:g} times)",
        )

    def expect_higher_accuracy(self, job: Job, *, by: float) -> None:
        """Expect an accuracy above the baseline's by so many points of 1."""
        reached, guess, name = compared(job, "val_accuracy")
        self.expect(
            reached >= guess + by,
            f"accuracy {reached:.1%} against {guess:.1%} of the {name} guess: "
            f"{100 * (reached - guess):.1f} points better (needed: {100 * by:g} points)",
        )


def compared(job: Job, metric: str) -> tuple[float, float, str]:
    """Return what a job reached, what its baseline did, and the baseline's name in words."""
    result = job.result
    reached = result.metrics.get(metric) if result else None
    if result is None or reached is None or metric not in result.baseline.metrics:
        message = f"{job.id} has no {metric} to compare"
        raise StepFailedError(message)
    return reached, result.baseline.metrics[metric], result.baseline.name.replace("_", "-")
