"""The key from which signing secrets are derived: a setting, or a file beside the database.

It is not in the database, so that a copy of the database lets nobody sign as this dialer.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from dialer.errors import SettingsError
from dialer.settings import Settings

SUFFIX: Final = ".signing-key"
_BYTES: Final = 32


def load_signing_key(settings: Settings) -> bytes:
    """DIALER_SIGNING_KEY, else the content of `DATABASE.signing-key`, made where there is none
    (readable by its owner alone): beside a SQLite database only. Raises `SettingsError`."""
    if settings.signing_key is not None:
        return settings.signing_key.get_secret_value().encode()
    if not settings.database_url.startswith("sqlite"):
        raise SettingsError(
            "DIALER_SIGNING_KEY must be set with PostgreSQL, to the same in every process: signing "
            "secrets of clients are derived from it"
        )
    path = Path(settings.database_url.partition(":///")[2] + SUFFIX)
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(
            f"the signing key {path} cannot be used ({error.strerror}): "
            "set DIALER_SIGNING_KEY or make the file readable"
        ) from None
    if len(key) < _BYTES:
        raise SettingsError(f"the signing key {path} is damaged: it has {len(key)} characters")
    return key


def _make(path: Path) -> None:
    """A whole file or none: two processes that start together get one and the same key, and what
    clients were given outlives a power cut."""
    made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(made, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        made.unlink()
