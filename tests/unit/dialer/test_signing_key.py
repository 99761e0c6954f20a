"""The signing key: a setting, or a file that nobody else can read."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dialer.errors import SettingsError
from dialer.settings import Settings, load_settings
from dialer.signing_key import load_signing_key


def settings(folder: Path, **more: object) -> Settings:
    url = f"sqlite+aiosqlite:///{folder}/dialer.db"
    return load_settings(None, database_url=url, **more)


def test_the_setting_beats_the_file(tmp_path: Path) -> None:
    key = "a key of thirty-two characters, or more"
    assert load_signing_key(settings(tmp_path, signing_key=key)) == key.encode()
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(load_signing_key, [settings(tmp_path)] * 16))
    assert len(keys) == 1
    (path,) = tmp_path.iterdir()
    assert path.name == "dialer.db.signing-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(keys.pop()) == 64


def test_a_key_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "dialer.db.signing-key"
    path.write_text("short")
    with pytest.raises(SettingsError, match="damaged"):
        load_signing_key(settings(tmp_path))
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match="DIALER_SIGNING_KEY"):
        load_signing_key(settings(tmp_path))
    with pytest.raises(SettingsError, match="cannot be used"):
        load_signing_key(settings(tmp_path / "missing"))


def test_without_a_file_beside_the_database_the_setting_is_needed(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://db.example/dialer"
    with pytest.raises(SettingsError, match="DIALER_SIGNING_KEY must be set"):
        load_signing_key(load_settings(None, database_url=url))
