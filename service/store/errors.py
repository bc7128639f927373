"""What the store refuses: problems for clients, and the one error of workers, `LeaseLost`."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from service.domain.problems import Conflict, Malformed, NotFound, Unavailable, known_names


class LeaseLost(Exception):  # noqa: N818  a state of affairs that a worker acts on
    """The job is no longer this worker's: nothing of it may be written any more."""


class BlobGone(KeyError):  # noqa: N818  a state of affairs, like LeaseLost
    """No such bytes, or no longer: what referred to them was deleted or replaced."""


class NothingToServe(Exception):  # noqa: N818
    """A job without any checkpoint was reported as succeeded."""


class DatabaseBusy(Unavailable):
    """No connection was free in time, or the database could not be reached or locked."""

    code = "database_busy"
    title = "The database is busy"

    def __init__(self) -> None:
        super().__init__("The database did not answer in time. Send the request again.")


class DatabaseUnavailable(Unavailable):
    """No server answers, it goes down or comes up, or the file cannot be opened or read."""

    code = "database_unavailable"
    title = "The database cannot be reached"
    retry_after_seconds = 5

    def __init__(self) -> None:
        super().__init__(
            "The database cannot be reached, or cannot use its files. What was accepted is kept. "
            "Send the request again in a while."
        )


class DatabaseReadOnly(Unavailable):
    """The database can be read, but takes no writes."""

    code = "database_read_only"
    title = "The database is read-only"
    retry_after_seconds = 30

    def __init__(self) -> None:
        super().__init__(
            "The database can only be read: its file or folder is write-protected, or its server "
            "is a standby. Reading and predicting work. Make it writable, then send this again."
        )


class StorageFull(Unavailable):
    """There is no room left for what shall be stored."""

    code = "storage_full"
    title = "The storage is full"
    retry_after_seconds = 60

    def __init__(self) -> None:
        super().__init__(
            "The disk of the database is full. Delete datasets or jobs that nobody needs, or give "
            "it more room; then send the request again."
        )


DATABASE_TROUBLE = (DatabaseBusy, DatabaseUnavailable, DatabaseReadOnly, StorageFull)
"""What passes, or an operator can mend. Nobody's work is wrong: it waits, or is tried again."""


class UnknownCursor(Malformed):
    """`after` names nothing that exists (any more)."""

    code = "unknown_cursor"
    title = "Unknown cursor"

    def __init__(self, cursor: str = "after") -> None:
        super().__init__(f"{cursor} names nothing in this list. Begin again without it.")


class JobNotFound(NotFound):
    """There is no such job."""

    code = "job_not_found"
    title = "No such job"

    def __init__(self) -> None:
        super().__init__("There is no job with this id. GET /v1/jobs lists the jobs.")


class ClientIdTaken(Conflict):
    """Another job has this client_id."""

    code = "client_id_taken"
    title = "The client_id is taken"

    def __init__(
        self,
        detail: str = "Another job has this client_id. GET /v1/jobs?client_id=… shows it; choose "
        "a new one.",
    ) -> None:
        super().__init__(detail)


class DatasetNotFound(NotFound):
    """There is no dataset with this name."""

    code = "dataset_not_found"
    title = "No such dataset"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no dataset with this name; {known_names(known, near=name)}.")


class DatasetNameTaken(Conflict):
    """Other bytes or options are stored under the name."""

    code = "dataset_name_taken"
    title = "The dataset's name is taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The dataset {name!r} exists with other bytes or options, and datasets never change. "
            "Choose another name, or delete it first."
        )


class DatasetInUse(Conflict):
    """A job that has not ended needs the dataset."""

    code = "dataset_in_use"
    title = "The dataset is in use"

    def __init__(self, name: str) -> None:
        super().__init__(f"A job that has not ended uses {name!r}. Cancel it or wait for its end.")


class DatasetNotDownloaded(Conflict):
    """The bytes of a built-in dataset are still to come."""

    code = "dataset_not_downloaded"
    title = "The dataset is not downloaded yet"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not here yet: the first job that trains on it downloads it.")


class DatasetBuiltIn(Conflict):
    """Built-in datasets stay."""

    code = "dataset_built_in"
    title = "The dataset is built in"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} comes with the service and cannot be deleted.")


class CheckpointNotFound(NotFound):
    """There is no such checkpoint, or no longer."""

    code = "checkpoint_not_found"
    title = "No such checkpoint"

    def __init__(self) -> None:
        super().__init__(
            "There is no checkpoint with this id, or it is no longer kept. "
            "GET /v1/jobs/{id}/checkpoints lists those that are."
        )


class ModelNotFound(NotFound):
    """Nothing is known by this name or id."""

    code = "model_not_found"
    title = "No such model"

    def __init__(self, reference: str, known: Iterable[str], *, deleted: str | None = None) -> None:
        names = list(known)
        hint = known_names(names, near=reference) if names else "no model has a name yet"
        gone = f"{deleted} was deleted" if deleted else "No model is known by this name or id"
        super().__init__(f"{gone}; {hint}.")


class AliasNotFound(NotFound):
    """The model has no such alias."""

    code = "alias_not_found"
    title = "No such alias"

    def __init__(self, name: str, alias: str) -> None:
        super().__init__(
            f"{name!r} has no alias {alias!r}. GET /v1/models/{{model}} lists those it has."
        )


class ModelInUse(Conflict):
    """An alias stands for a version that shall be deleted."""

    code = "model_in_use"
    title = "The model is in use"

    def __init__(self, reference: str, aliases: Sequence[str]) -> None:
        by = f"the alias {', '.join(map(repr, aliases))}" if aliases else "an alias"
        super().__init__(
            f"{reference!r} is what {by} stands for: who asks for that would find nothing. Give "
            "the alias to another version or delete it first.",
            aliases=[*aliases],
        )


class HistoryDeleted(Conflict):
    """The job of a version is gone, and its checkpoints with it."""

    code = "history_deleted"
    title = "The training of the model was deleted"

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"The job that made {reference!r} was deleted with its checkpoints, or ran elsewhere; "
            "only the model itself is here. Ask that with /predict."
        )


class ModelTaskDiffers(Conflict):
    """The versions of one model learn one task."""

    code = "model_task_differs"
    title = "The model learned another task"

    def __init__(self, name: str, task: str, other: str) -> None:
        super().__init__(
            f"{name!r} is a model of {task}, and this would be a version of {other}: whoever asks "
            "the model would be answered otherwise. Choose another name."
        )


class ModelNotReady(Conflict):
    """The job has made no checkpoint yet, but still can."""

    code = "model_not_ready"
    title = "The model is not trained yet"
    should_retry: ClassVar[bool] = True
    retry_after_seconds: ClassVar[int] = 2

    def __init__(self, job_id: str, current_status: str) -> None:
        super().__init__(
            f"{job_id} is {current_status} and has made no such checkpoint yet. Ask again later.",
            current_status=current_status,
        )


class ModelNeverTrained(Conflict):
    """The job ended without the checkpoint that is asked for."""

    code = "model_never_trained"
    title = "The job left no model"

    def __init__(self, job_id: str, current_status: str) -> None:
        super().__init__(
            f"{job_id} is {current_status} and has no such checkpoint. Retry the job first.",
            current_status=current_status,
        )
