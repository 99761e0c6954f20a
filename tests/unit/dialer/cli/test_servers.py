"""`dialer servers`."""

import asyncio
from dataclasses import replace

import pytest

from ami import Address, LinkDown, ServerReport
from dialer.cli import servers
from dialer.store.contract import Server
from tests.unit.dialer.cli.conftest import ADD_SERVER, Terminal


def stored(dialer: Terminal) -> tuple[Server, ...]:
    found: tuple[Server, ...] = dialer.store(lambda store: store.servers())
    return found


def test_add_stores_everything_but_the_secret(dialer: Terminal) -> None:
    assert dialer(*ADD_SERVER, "--tls", "--max-channels", "30", "--max-cps", "2.5").code == 0
    assert stored(dialer) == (
        Server(
            1, "pbx1", "10.0.0.5", 5039, "dialer", secret_env="PBX1_SECRET", tls=True,
            max_channels=30, max_cps=2.5,
        ),
    )  # fmt: skip


def test_add_refuses_what_cannot_be(dialer: Terminal) -> None:
    add = ("servers", "add")
    here = ("--host", "h", "--username", "u")
    dialer.refuses(*add, "a b", *here, "--secret-env", "S", saying="code")
    dialer.refuses(*add, "p", *here, saying="--secret-env")
    dialer.refuses(*add, "p", *here, "--secret-env", "s3cret!", saying="not the secret")
    both = ("--secret-env", "S", "--secret-file", "f")
    dialer.refuses(*add, "p", *here, *both, saying="one of")
    dialer.refuses(*add, "p", "--host", " ", "--username", "u", "--secret-env", "S", saying="host")
    injected = ("--host", "h", "--username", "u\r\nAction: Logoff", "--secret-env", "S")
    dialer.refuses(*add, "p", *injected, saying="control character")
    dialer.refuses(*add, "p", *here, "--port", "0", "--secret-env", "S", saying="--port")
    assert stored(dialer) == ()


def test_a_code_is_taken_once(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    dialer.refuses(*ADD_SERVER, saying="there is a server pbx1 already")


def test_set_changes_what_is_given(dialer: Terminal) -> None:
    dialer(*ADD_SERVER, "--max-channels", "30", "--tls")
    assert dialer("servers", "set", "pbx1", "--max-channels", "0", "--no-tls").code == 0
    assert dialer("servers", "set", "pbx1", "--secret-file", "secret.txt").code == 0
    (server,) = stored(dialer)
    assert (server.max_channels, server.tls, server.host) == (None, False, "10.0.0.5")
    assert (server.secret_env, server.secret_file) == (None, "secret.txt")
    dialer.refuses("servers", "set", "pbx1", saying="nothing to change")
    dialer.refuses("servers", "set", "pbx9", "--max-cps", "1", saying="no server pbx9")
    both = ("--secret-env", "S", "--secret-file", "f")
    dialer.refuses("servers", "set", "pbx1", *both, saying="one of")


def test_list_shows_them(dialer: Terminal) -> None:
    dialer(*ADD_SERVER, "--max-cps", "2.5")
    answer = dialer("servers", "list")
    assert answer.code == 0
    assert all(word in answer.out for word in ("pbx1", "10.0.0.5", "$PBX1_SECRET", "2.5", "none"))


def test_remove_hides_it(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    assert dialer("servers", "remove", "pbx1").code == 0
    assert stored(dialer) == ()
    dialer.refuses("servers", "remove", "pbx1", saying="no server pbx1")


REPORT = ServerReport(
    "9.0.0", "22.10.1", "pbx", "2025-06-15 10:00:00", 0.0012, 0.25, True,
    {"write originate": True, "write system": False}, (),
    contexts={"dialer-recording": True, "dialer-call-id": True},
)  # fmt: skip


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[Address | ServerReport | LinkDown]:
    """What `inspect_server` was asked, after what it shall answer (the first entry)."""
    talk: list[Address | ServerReport | LinkDown] = [REPORT]

    async def inspect(address: Address, *, contexts: tuple[str, ...]) -> ServerReport:
        await asyncio.sleep(0)
        assert contexts == ("dialer-recording", "dialer-call-id")
        talk.append(address)
        if isinstance(talk[0], LinkDown):
            raise talk[0]
        assert isinstance(talk[0], ServerReport)
        return talk[0]

    monkeypatch.setattr(servers, "inspect_server", inspect)
    monkeypatch.setenv("PBX1_SECRET", "very-secret")
    return talk


def test_check_reports_what_it_saw(
    dialer: Terminal, inspected: list[Address | ServerReport | LinkDown]
) -> None:
    dialer(*ADD_SERVER)
    answer = dialer("servers", "check", "pbx1")
    assert answer.code == 0
    assert "Asterisk 22.10.1" in answer.out
    assert "+0.250 s" in answer.out
    assert "has   write originate" in answer.out
    assert "lacks write system" in answer.out
    assert "has the context dialer-recording" in answer.out
    assert inspected[1:] == [Address("10.0.0.5", 5039, "dialer", "very-secret")]
    assert "very-secret" not in answer.out + answer.err


def test_check_fails_when_calls_could_not_be_dialed_as_they_should(
    dialer: Terminal, inspected: list[Address | ServerReport | LinkDown]
) -> None:
    dialer(*ADD_SERVER)
    inspected[0] = ServerReport("9", "21.0", "", "", 0.1, None, False, {}, ("not supported",))
    answer = dialer("servers", "check", "pbx1")
    assert answer.code == 1
    assert "warning: not supported" in answer.out


def test_check_says_whether_calls_can_be_recorded(
    dialer: Terminal, inspected: list[Address | ServerReport | LinkDown]
) -> None:
    """Which is no fault: calls can be dialed all the same."""
    dialer(*ADD_SERVER)
    for found, said in ((False, "are to be recorded will fail"), (None, "could not be asked")):
        inspected[0] = replace(REPORT, contexts={"dialer-recording": found})
        answer = dialer("servers", "check", "pbx1")
        assert answer.code == 0
        assert said in " ".join(answer.out.split())


def test_check_says_whether_call_ids_are_told(
    dialer: Terminal, inspected: list[Address | ServerReport | LinkDown]
) -> None:
    dialer(*ADD_SERVER)
    for found, said in ((True, "whose set_var"), (False, "have none"), (None, "not be asked")):
        inspected[0] = replace(REPORT, contexts={"dialer-call-id": found})
        answer = dialer("servers", "check", "pbx1")
        assert answer.code == 0
        assert said in " ".join(answer.out.split()).partition("SIP Call-IDs: ")[2]


def test_where_recordings_are_served(dialer: Terminal) -> None:
    dialer(*ADD_SERVER, "--recording-url", "https://rec.example:8443/pbx1/")
    assert stored(dialer)[0].recording_url == "https://rec.example:8443/pbx1/"
    dialer("servers", "set", "pbx1", "--recording-url", "http://other.example")
    assert stored(dialer)[0].recording_url == "http://other.example"
    dialer("servers", "set", "pbx1", "--recording-url", "")
    assert stored(dialer)[0].recording_url is None
    for wrong in ("rec.example/x", "ftp://h/", "https://", "https://h/?q=1", "https://[/", "h t"):
        dialer.refuses("servers", "set", "pbx1", "--recording-url", wrong, saying="recording-url")
    dialer.refuses("servers", "set", "pbx1", "--recording-url", "http://h/\n", saying="control")


def test_check_of_a_server_that_is_down_is_a_sentence(
    dialer: Terminal, inspected: list[Address | ServerReport | LinkDown]
) -> None:
    dialer(*ADD_SERVER)
    inspected[0] = LinkDown("connection refused")
    answer = dialer("servers", "check", "pbx1")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "server pbx1 at 10.0.0.5:5039: connection refused\n"


def test_check_needs_the_secret(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    dialer.refuses("servers", "check", "pbx1", saying="PBX1_SECRET")
    dialer.refuses("servers", "check", "pbx9", saying="no server pbx9")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-cps", "inf"),
        ("--max-cps", "nan"),
        ("--max-cps", "1e308"),
        ("--max-cps", "1e-8"),
        ("--max-channels", "999999999999999999999999"),
    ],
)
def test_limits_that_could_never_hold_are_refused(
    dialer: Terminal, option: str, value: str
) -> None:
    dialer(*ADD_SERVER)
    dialer.refuses("servers", "set", "pbx1", option, value, saying=option.rpartition("-")[2])


def test_changes_of_servers_are_in_the_audit_log(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    dialer("servers", "set", "pbx1", "--max-channels", "7")
    dialer("servers", "remove", "pbx1")
    entries = dialer.store(lambda store: store.audit(10))
    assert [entry.action for entry in entries] == ["server.remove", "server.change", "server.add"]
    assert all(entry.actor.startswith("operator ") for entry in entries)
