"""Settings: the environment variables `TRAINYARD_…`, typed and checked.

Read by the composition roots alone (`cli`, `api/app.py`, `worker/main.py`); everybody else is
handed values. What a command line says wins: `Settings(port=0)`.
"""

import ipaddress
import os
from typing import Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024**2
GIBIBYTE = 1024**3
DATABASE_SCHEMES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


def cores() -> int:
    """Count the cores this process may use: fewer than the machine has, under `taskset`."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a service that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(BaseSettings):
    """All settings; each is a variable with the prefix `TRAINYARD_`."""

    # An input in an error message could be a database URL with its password.
    model_config = SettingsConfigDict(
        env_prefix="TRAINYARD_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    database_url: str = Field(
        default="sqlite:///trainyard.db",
        repr=False,
        description="URL of the database: `sqlite:///` and a file, or `postgresql://` (psycopg 3).",
    )
    host: str = Field(
        default="127.0.0.1", description="Address to listen on; only loopback is allowed for now."
    )
    port: int = Field(
        default=8000, ge=0, le=65_535, description="Port to listen on; 0 picks a free one."
    )
    url: str = Field(
        default="http://127.0.0.1:8000", description="Where the client commands talk to."
    )
    workers: int = Field(
        default=1, ge=1, le=256, description="Jobs that one worker process trains at once."
    )
    threads: int = Field(
        default_factory=cores,
        ge=1,
        le=1024,
        description="Torch threads of one training job; small models take one. Default: the cores.",
    )
    lease_seconds: float = Field(
        default=15.0,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="A worker that is silent for so long loses its jobs to others.",
    )
    max_deaths: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="Deaths of a job's process, in a row without a new checkpoint, "
        "after which the job fails.",
    )
    max_body_bytes: int = Field(
        default=16 * MEBIBYTE, ge=1024, description="Largest JSON or image body."
    )
    max_upload_bytes: int = Field(
        default=256 * MEBIBYTE, ge=1024, description="Largest upload of a dataset."
    )
    max_dataset_bytes: int = Field(
        default=2 * GIBIBYTE, ge=1024, description="Largest dataset after it is unpacked."
    )
    max_parameters: int = Field(
        default=10**9, ge=1, description="Most parameters a model may have."
    )
    max_queued_jobs: int = Field(
        default=10_000, ge=1, description="Most jobs that may wait in the queue."
    )
    prediction_memory_bytes: int = Field(
        default=GIBIBYTE,
        ge=MEBIBYTE,
        description="Weights kept loaded for predictions; the least recently used go first.",
    )

    @field_validator("database_url")
    @classmethod
    def _database_that_processes_share(cls, url: str) -> str:
        if not url.startswith(DATABASE_SCHEMES):
            message = "begin with sqlite:/// and the path of a file, or with postgresql://"
            raise ValueError(message)
        if url in {"sqlite:///", "sqlite:///:memory:"}:
            message = "name a file: a database in memory cannot be shared by several processes"
            raise ValueError(message)
        return url

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        if not is_loopback(host):
            message = "listen on 127.0.0.1, ::1 or localhost: without keys anybody could train here"
            raise ValueError(message)
        return host

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Name every environment variable, each with its description."""
        return {
            f"TRAINYARD_{name.upper()}": field.description or ""
            for name, field in cls.model_fields.items()
        }

    def replacing(self, **given: object) -> Self:
        """Return these settings with those that a command line gave (not None) replaced."""
        chosen = {name: value for name, value in given.items() if value is not None}
        return type(self).model_validate({**self.model_dump(), **chosen})


def describe_errors(error: ValidationError) -> str:
    """Say in words which variable is wrong and how, without repeating its value."""
    return "\n".join(
        f"TRAINYARD_{'_'.join(str(part) for part in item['loc']).upper()}: "
        f"{item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False, include_url=False)
    )
