"""What is kept with a job that failed: a code, plain words, and what to try."""

import torch

from service.domain.jobs import JobError
from service.domain.problems import Problem
from service.store.errors import NothingToServe, StorageFull
from service.training.failures import TrainingFailed

OUT_OF_MEMORY = (
    "bad_alloc",
    "can't allocate memory",
    "can't start new thread",  # there is no memory for its stack
    "cannot allocate memory",
    "could not create a memory",  # oneDNN
    "not enough memory",
    "out of memory",
)


def job_error(error: Exception) -> JobError:
    """Say in words why training ended, without the stack trace, which is for the log."""
    if isinstance(error, TrainingFailed):
        return error.error
    if isinstance(error, NothingToServe):
        return JobError(
            code="no_checkpoint",
            message="Training ended before there was a checkpoint to make a model of.",
            hint="Give it more steps or more seconds.",
        )
    if isinstance(error, StorageFull):
        return JobError(
            code="storage_full",
            message="The disk of the database is full: what the job made could not be stored.",
            hint="Delete datasets or jobs that nobody needs, or give it more room; then retry the "
            "job: it goes on from its newest checkpoint.",
        )
    if isinstance(error, Problem):
        return JobError(code=error.code, message=error.detail)
    if _is_out_of_memory(error):
        return JobError(
            code="out_of_memory",
            message="There was not enough memory for this model, these data and this batch size.",
            hint="Try a smaller batch_size or a smaller model; an operator can raise "
            "TRAINYARD_JOB_MEMORY_BYTES.",
        )
    return JobError(
        code="training_crashed",
        message=f"Training was stopped by an error nobody expected ({type(error).__name__}).",
        hint="The worker's log has the details under the job's id.",
    )


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # On the CPU torch raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in OUT_OF_MEMORY
    )
