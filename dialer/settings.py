"""Settings: environment variables (or a `.env` file) with the prefix `DIALER_`, validated once.

Everything that a deployment may change stands here, frozen. A wrong value becomes one plain
sentence (`SettingsError`); secret values never appear in it.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dialer.coordination.address import parse_address
from dialer.errors import SettingsError

PREFIX = "DIALER_"


class LogFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"


class Settings(BaseSettings):
    """All settings; the docstring of a field is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    database_url: str = "sqlite+aiosqlite:///dialer.db"
    """Where everything is kept: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://HOST/NAME`."""
    redis_url: str | None = None
    """Coordination between machines: `redis://[USER:PASSWORD@]HOST:PORT/DATABASE` or
    `unix:///PATH`; none: inside this process."""
    http_host: str = "127.0.0.1"
    """Address that the HTTP API listens on."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port of the HTTP API; 0: any free one."""
    health_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """Port on which `dialer worker` and `dialer deliver` answer /healthz and /readyz; none: they
    listen on nothing."""
    superuser_api_key: SecretStr | None = None
    """Bootstrap key that may create clients; none: only keys of superuser clients may."""
    sgapi_url: str | None = None
    """Base URL of the Disposition Gateway; none: CDRs go to callbacks only."""
    sgapi_token: SecretStr | None = None
    """Bearer token for the Disposition Gateway."""
    sgapi_entity: str | None = None
    """Path element behind /cdrtosgapi."""
    signing_key: Annotated[SecretStr | None, Field(min_length=32)] = None
    """Key from which clients' signing secrets are derived, 32 characters or more; none: the file
    DATABASE.signing-key, which is made."""
    callback_allow_private: bool = False
    """Whether callbacks may go to private and loopback addresses."""
    log_format: LogFormat = LogFormat.CONSOLE
    """console or json."""
    metrics: bool = True
    """Whether figures are collected for operators."""
    quick_call_expiry: Annotated[float, Field(gt=0, le=86400)] = 60.0
    """Seconds after which a quick call that could not start expires."""
    max_call_duration: Annotated[int, Field(ge=10, le=86400)] = 7200
    """Longest duration of a call in seconds, enforced by Asterisk and by us."""
    drain_timeout: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """Seconds that live calls and deliveries get to end after SIGTERM."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    """Largest HTTP request body that is read."""
    gateway_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] = 100
    """Requests a minute that a client may make at /cdrtosgapi."""
    gateway_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Requests a second that a client may make at /cdrtosgapi."""
    reports_per_minute: Annotated[int, Field(ge=0, le=100_000)] = 2
    """Reports of CDRs (/ca_reports) that a client gets within a minute, all three together; 0: no
    limit."""
    state_dir: Path = Path("dialer-state")
    """Folder in which a worker on PostgreSQL notes which of its calls may have left; it has to
    outlive the process."""
    record_dir: Path | None = None
    """Folder into which the worker records its AMI sessions, a trace for each server; none: it does
    not."""
    record_max_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """MiB after which a trace of the worker's goes on in a new file."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value, to be kept out of what this process says."""
        keys = (self.superuser_api_key, self.sgapi_token, self.signing_key)
        urls = (self.database_url, self.redis_url, self.sgapi_url)
        values = [key.get_secret_value() for key in keys if key is not None]
        values += [unquote(password) for url in urls if url and (password := _password(url))]
        return tuple(values)

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
            raise ValueError("must begin with sqlite+aiosqlite:/// or postgresql+asyncpg://")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: str | None) -> str | None:
        if value:
            parse_address(value)
        return value or None

    @field_validator("sgapi_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else None

    @field_validator("sgapi_entity")
    @classmethod
    def _path_element(cls, value: str | None) -> str | None:
        if value and not value.replace("-", "").replace("_", "").isalnum():
            raise ValueError("may hold letters, digits, - and _ only")
        return value or None


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def load_settings(env_file: str | Path | None = ".env", **overrides: object) -> Settings:
    """Read and validate the settings; `overrides` (field names) beat the environment.

    Raises `SettingsError` with one plain sentence that names the variable and the rule.
    """
    try:
        return Settings(_env_file=env_file, **cast(dict[str, Any], overrides))
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
    return f"{name} {first['msg'].removeprefix('Value error, ').lower()}"
