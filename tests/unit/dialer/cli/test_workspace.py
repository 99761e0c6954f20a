"""What the administrative commands stand on."""

import os
import time
from pathlib import Path

import pytest

from dialer.cli.workspace import (
    given,
    make_console,
    name_operator,
    need_something,
    no_limit_at_zero,
    none_when_empty,
    show_limit,
    with_store,
)
from dialer.errors import Conflict, SettingsError
from dialer.settings import load_settings
from dialer.store.contract import Store
from tests import store_records as make
from tests.unit.dialer.cli.conftest import ADD_CLIENT, ADD_SERVER, Terminal


def test_options_that_were_given() -> None:
    assert given(a=None, b=0, c="", d=False) == {"b": 0, "c": "", "d": False}


def test_zero_and_empty_take_away() -> None:
    changes: dict[str, object] = {"cps": 0, "channels": 3, "did": "", "prefix": "9"}
    no_limit_at_zero(changes, "cps", "channels", "absent")
    none_when_empty(changes, "did", "prefix", "absent")
    assert changes == {"cps": None, "channels": 3, "did": None, "prefix": "9"}


def test_a_change_of_nothing_is_refused() -> None:
    need_something({"a": None})
    with pytest.raises(SettingsError, match="nothing to change"):
        need_something({})


def test_limits_are_shown_short() -> None:
    assert [show_limit(limit) for limit in (None, 5, 2.5, 3.0)] == ["none", "5", "2.5", "3"]


def test_texts_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    make_console().print("[red]name[/red] :smile:")
    assert capsys.readouterr().out == "[red]name[/red] :smile:\n"


def test_the_database_is_made_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = make.url_of(tmp_path / "new.db")
    assert with_store(lambda store: store.servers(), load_settings(database_url=url)) == ()
    assert (tmp_path / "new.db").exists()


def test_the_store_is_closed_when_the_work_fails(dialer: Terminal) -> None:
    async def fail(store: Store) -> None:
        await store.add_server(make.SERVER, make.NOW)
        await store.add_server(make.SERVER, make.NOW)

    with pytest.raises(Conflict):
        with_store(fail)
    assert len(with_store(lambda store: store.servers())) == 1


def test_a_database_that_cannot_be_used_is_exit_1(
    dialer: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.db").mkdir()
    monkeypatch.setenv("DIALER_DATABASE_URL", make.url_of(tmp_path / "folder.db"))
    answer = dialer("servers", "list")
    assert (answer.code, answer.out) == (1, "")
    assert "folder.db could not be used" in answer.err


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite+aiosqlite:////no/such/folder/d.db"])
def test_a_wrong_setting_is_one_sentence(
    dialer: Terminal, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DIALER_DATABASE_URL", url)
    dialer.refuses("status", saying="")


CHANGES = (
    ADD_SERVER,
    ADD_CLIENT,
    ("servers", "set", "pbx1", "--max-channels", "3"),
    ("clients", "set", "acme", "--channels", "9"),
    ("clients", "allocate", "acme", "pbx1"),
    ("clients", "rotate-key", "acme"),
    ("clients", "signing-secret", "acme", "--rotate"),
    ("clients", "suspend", "acme"),
    ("pause", "--server", "pbx1"),
    ("pause", "--client", "acme"),
    ("pause", "--queue", "1"),
    ("queues", "set", "1", "--redial-unknown"),
    ("servers", "remove", "pbx1"),
)


def test_what_is_changed_has_the_databases_time(dialer: Terminal, wrong_clock: None) -> None:
    for words in CHANGES:
        if "--queue" in words:
            dialer.store(lambda store: store.insert_batch(make.batch(make.item())))
        assert dialer(*words).code == 0, words
    entries = dialer.store(lambda store: store.audit(100))
    assert len(entries) == len(CHANGES)
    assert [entry for entry in entries if entry.at > time.time() - 1800.0] == []
    client = dialer.store(lambda store: store.client("acme"))
    assert client.created_at < time.time() - 1800.0
    (signing,) = dialer.store(lambda store: store.receivers()).signing.values()
    assert signing.grace_until < time.time() + 23 * 3600.0 + 1800.0


def test_the_operator_is_who_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "root")
    assert name_operator() == "operator root"
    monkeypatch.setenv("SUDO_USER", "ann")
    assert name_operator() == "operator ann"


def test_an_operator_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr("getpass.getuser", find_none)
    assert name_operator() == f"operator {os.getuid()}"
