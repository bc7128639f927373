"""Settings: the environment variables `TRAINYARD_…`, typed and checked.

Read by the composition roots alone (`cli`, `api/app.py`, `worker/main.py`); everybody else is
handed values. What a command line says wins: `Settings(port=0)`.
"""

import ipaddress
import re
from typing import Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.domain.keys import ApiKey, parse_keys
from service.machine import cores, memory_bytes

MEBIBYTE = 1024**2
GIBIBYTE = 1024**3
_ORIGIN = re.compile(r"https?://[^/?#@\s]+")
_MIRROR = re.compile(r"https?://[^/?#@\s]+(/[^?#@\s]*)?")
DATABASE_SCHEMES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a service that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


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
        default="127.0.0.1",
        description="Address to listen on; beyond loopback only with keys, or with `--insecure`.",
    )
    port: int = Field(
        default=8000, ge=0, le=65_535, description="Port to listen on; 0 picks a free one."
    )
    url: str = Field(
        default="http://127.0.0.1:8000", description="Where the client commands talk to."
    )
    api_keys: str = Field(
        default="",
        repr=False,
        description="Who may call: `name:scope:key`, comma-separated; scope `predict`, `train` or "
        "`admin`; the key plain or as `sha256:…`. `trainyard keys new` makes one.",
    )
    insecure: bool = Field(
        default=False, description="Listen beyond loopback without keys: anybody may do anything."
    )
    cors_origins: str = Field(
        default="",
        description="Origins whose pages may call from a browser, comma-separated.",
    )
    workers: int = Field(
        default=1, ge=1, le=256, description="Jobs that one worker process trains at once."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Torch threads of one training job; small models take one. Default: the cores "
        "divided by the jobs at once, or fewer, if others leave fewer free when the job begins.",
    )
    nice: int = Field(
        default=19,
        ge=0,
        le=19,
        description="How far jobs step back behind all else on the machine, as in nice(1): beside "
        "other busy programs 19 lets them go first, and with 0 jobs get as much as these do.",
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
        default=256 * MEBIBYTE, ge=1024, description="Largest upload of a dataset or a model."
    )
    max_dataset_bytes: int = Field(
        default=2 * GIBIBYTE, ge=1024, description="Largest dataset or model when unpacked."
    )
    dataset_mirror: str | None = Field(
        default=None,
        repr=False,
        description="URL of a folder to download built-in datasets from, as `{dataset}/{file}`, "
        "instead of from their publishers.",
    )
    max_parameters: int = Field(
        default=10**9, ge=1, description="Most parameters a model may have."
    )
    max_queued_jobs: int = Field(
        default=10_000, ge=1, description="Most jobs that may wait in the queue."
    )
    job_memory_bytes: int = Field(
        default_factory=lambda: memory_bytes() * 4 // 5,
        ge=64 * MEBIBYTE,
        description="Memory that one training process may take; beyond, its job fails; a "
        "context that takes far more is refused. Default: 80 % of the machine's or container's.",
    )
    prediction_memory_bytes: int = Field(
        default=GIBIBYTE,
        ge=MEBIBYTE,
        description="Weights kept loaded for predictions; the least recently used go first.",
    )

    session_seconds: float = Field(
        default=600.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="A session of `/predict` or `/generate` that rests for so long is forgotten.",
    )
    session_memory_bytes: int = Field(
        default=256 * MEBIBYTE,
        ge=MEBIBYTE,
        description="What sessions keep in memory; the least recently used go first.",
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

    @field_validator("api_keys")
    @classmethod
    def _keys_that_can_be_read(cls, text: str) -> str:
        if text.strip():
            parse_keys(text)
        return text.strip()

    @field_validator("dataset_mirror")
    @classmethod
    def _mirror_that_can_be_fetched_from(cls, url: str | None) -> str | None:
        if url is not None and not _MIRROR.fullmatch(url):
            message = "begin with http:// or https://, without a password, a query or a fragment"
            raise ValueError(message)
        return url

    @field_validator("cors_origins")
    @classmethod
    def _origins_as_browsers_write_them(cls, text: str) -> str:
        if not all(_ORIGIN.fullmatch(origin) for origin in _listed(text)):
            message = "write each origin as a browser does: https://example.org, without a path"
            raise ValueError(message)
        return text

    @property
    def keys(self) -> list[ApiKey]:
        """The keys that callers may hold; empty: everybody on this machine may call."""
        return parse_keys(self.api_keys) if self.api_keys else []

    @property
    def origins(self) -> list[str]:
        """The origins whose pages may call."""
        return _listed(self.cors_origins)

    @property
    def most_threads(self) -> int:
        """The most torch threads of one training job."""
        return self.threads or max(1, cores() // self.workers)

    @property
    def open_to_strangers(self) -> bool:
        """Whether others than this machine could call without a key, though nobody allowed it."""
        return not (is_loopback(self.host) or self.api_keys or self.insecure)

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
