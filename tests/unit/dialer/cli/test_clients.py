"""`dialer clients`."""

import base64
import time
from pathlib import Path

import pytest

from dialer.cli.clients import show_state
from dialer.dialects import CdrMapping, Shape
from dialer.keys import check_key, find_lookup
from dialer.policy import DEFAULT_POLICY
from dialer.policy_lists import LISTS
from dialer.states import CallbackEvent
from dialer.store.contract import Client, Signing, Store
from tests.unit.dialer.cli.conftest import ADD_CLIENT, ADD_SERVER, Terminal


def stored(dialer: Terminal) -> Client:
    (client,) = dialer.store(lambda store: store.clients())
    assert isinstance(client, Client)
    return client


def owner(dialer: Terminal, key: str) -> str | None:
    """The accountcode of the client that the key proves."""
    lookup = find_lookup(key)
    assert lookup is not None

    async def find(store: Store) -> str | None:
        found = await store.client_by_key(lookup)
        secret = await store.installation_secret()
        if found is None or not check_key(key, found[1], secret):
            return None
        return found[0].accountcode

    name: str | None = dialer.store(find)
    return name


def test_add_prints_a_key_that_works_and_nothing_else_on_stdout(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    more = ("--callback", "https://acme.example/cdr", "--server", "pbx1", "--superuser")
    answer = dialer(*ADD_CLIENT, *more)
    assert answer.code == 0
    assert owner(dialer, answer.out.strip()) == "acme"
    client = stored(dialer)
    assert (client.name, client.username, client.allocated_channels) == ("Acme Ltd", "acme", 7)
    assert client.callback_url == "https://acme.example/cdr"
    assert (client.server_ids, client.is_superuser) == (frozenset({1}), True)


def test_add_obeys_the_rules_of_the_api(dialer: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    dialer.refuses(*ADD_CLIENT, "--server", "pbx9", saying="no server pbx9")
    dialer.refuses(*ADD_CLIENT, "--callback", "http://127.0.0.1/", saying="callback")
    wrong = ("clients", "add", "A", "--accountcode", "a b", "--channels", "1")
    dialer.refuses(*wrong, saying="accountcode")
    monkeypatch.setenv("DIALER_CALLBACK_ALLOW_PRIVATE", "true")
    assert dialer(*ADD_CLIENT, "--callback", "http://127.0.0.1:9/").code == 0
    dialer.refuses(*ADD_CLIENT, saying="accountcode acme")


def test_set_changes_what_is_given(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT)
    change = (
        "clients", "set", "acme", "--channels", "20", "--cps", "0", "--did", "1001", "--prefix",
        "9", "--endpoint", "trunk", "--default-application", "Playback(hello)", "--time-zone",
        "Asia/Tehran",
    )  # fmt: skip
    assert dialer(*change).code == 0
    client = stored(dialer)
    assert (client.allocated_channels, client.max_cps, client.did) == (20, None, "1001")
    assert (client.prefix, client.endpoint, client.timezone) == ("9", "trunk", "Asia/Tehran")
    assert client.default_application == "Playback(hello)"
    assert dialer("clients", "set", "acme", "--did", "", "--default-application", "").code == 0
    assert (stored(dialer).did, stored(dialer).default_application) == (None, None)


def test_shapes_of_callbacks_and_of_reading(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT, "--callback-shape", "flex")
    assert stored(dialer).callback_shape is Shape.FLEX
    change = ("clients", "set", "acme", "--callback-shape", "ozonetel", "--cdr-mapping", "flex")
    assert dialer(*change).code == 0
    client = stored(dialer)
    assert (client.callback_shape, client.cdr_mapping) == (Shape.OZONETEL, CdrMapping.FLEX)
    printed = dialer("clients", "show", "acme").out
    assert all(word in printed for word in ("callback shape", "ozonetel", "/v2/cdr", "flex"))


def test_events_of_calls_that_go_on(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT, "--callback-events", "call_answered")
    assert stored(dialer).callback_events == {CallbackEvent.ANSWERED}
    change = ("clients", "set", "acme", "--callback-events")
    assert dialer(*change, "call_started, call_answered").code == 0
    assert stored(dialer).callback_events == set(CallbackEvent)
    printed = dialer("clients", "show", "acme").out
    assert all(word in printed for word in ("callback events", "call_answered, call_started"))
    assert dialer(*change, "").code == 0
    assert stored(dialer).callback_events == frozenset()
    assert "of ends alone" in dialer("clients", "show", "acme").out


@pytest.mark.parametrize(
    ("option", "value", "saying"),
    [
        ("--callback-events", "call_started,ringing", "call_started, call_answered"),
        ("--callback-shape", "round", "callback-shape"),
        ("--cdr-mapping", "native", "cdr-mapping"),
        ("--time-zone", "Mars/Base", "time zone"),
        ("--callback", "ftp://x/", "callback"),
        ("--endpoint", "a&b", "dial string"),
        ("--prefix", "${X}", "dial string"),
        ("--default-application", "Dial(", "default_application"),
        ("--default-application", "System(id)", "default_application"),
        ("--did", "1\n2", "control character"),
        ("--channels", "-1", "--channels"),
    ],
)
def test_set_refuses_what_cannot_be(dialer: Terminal, option: str, value: str, saying: str) -> None:
    dialer(*ADD_CLIENT)
    before = stored(dialer)
    dialer.refuses("clients", "set", "acme", option, value, saying=saying)
    assert stored(dialer) == before


def test_set_needs_a_client_and_an_option(dialer: Terminal) -> None:
    dialer.refuses("clients", "set", "nobody", "--did", "1", saying="no client nobody")
    dialer.refuses("clients", "set", "nobody", saying="nothing to change")


def test_allocate_replaces_the_servers(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT)
    assert "pbx1" in dialer("clients", "allocate", "acme", "pbx1").out
    assert stored(dialer).server_ids == {1}
    dialer.refuses("clients", "allocate", "acme", "pbx1", "pbx9", saying="no server pbx9")
    assert "all servers" in dialer("clients", "allocate", "acme").out
    assert stored(dialer).server_ids == frozenset()


def test_rotate_key_ends_the_key_before(dialer: Terminal) -> None:
    first = dialer(*ADD_CLIENT).out.strip()
    second = dialer("clients", "rotate-key", "acme").out.strip()
    assert (owner(dialer, first), owner(dialer, second)) == (None, "acme")
    dialer.refuses("clients", "rotate-key", "nobody", saying="no client nobody")


def test_suspend_and_back(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT)
    assert dialer("clients", "suspend", "acme").code == 0
    assert not stored(dialer).may_dial
    assert "suspended" in dialer("clients", "list").out
    assert dialer("clients", "suspend", "acme", "--undo").code == 0
    assert stored(dialer).may_dial


def test_list_shows_them(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT, "--server", "pbx1")
    printed = dialer("clients", "list").out
    assert all(word in printed for word in ("acme", "Acme Ltd", "7", "pbx1", "active"))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "active"),
        ({"paused": True}, "paused"),
        ({"has_key": False}, "no key"),
        ({"status": "closed"}, "closed"),
        ({"is_active": False}, "inactive"),
    ],
)
def test_the_state_says_why_a_client_may_not_dial(changes: dict[str, object], state: str) -> None:
    values: dict[str, object] = {"has_key": True} | changes
    client = Client(1, "A", "a", "a", **values)  # type: ignore[arg-type]
    assert show_state(client) == state
    assert client.may_dial == (state == "active")


def test_a_policy_is_set_list_by_list_and_shown(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT)
    change = (
        "clients",
        "set",
        "acme",
        "--policy",
        "prefixes=98,+98",
        "--policy",
        "dial_options+=g",
    )
    assert dialer(*change, "--policy", "functions=PJSIP_HEADER(add,X-Foo)").code == 0
    policy = stored(dialer).policy
    assert policy.prefixes == frozenset({"98", "+98"})
    assert policy.dial_options == DEFAULT_POLICY.dial_options | {"g"}
    assert policy.functions == {"PJSIP_HEADER(add,X-Foo)"}
    shown = dialer("clients", "policy", "acme").out
    rows = {row[2].strip(): row for line in shown.splitlines() if len(row := line.split("│")) > 4}
    assert rows.keys() == set(LISTS)
    assert {name for name, row in rows.items() if row[1].strip() == "*"} == {
        "prefixes", "dial_options", "functions",
    }  # fmt: skip
    assert [cell.strip() for cell in rows["prefixes"][3:5]] == ["+98,98", "* (all)"]
    assert [cell.strip() for cell in rows["local_contexts"][3:5]] == ["(nothing)", ""]


def test_a_policy_goes_back_to_the_built_in(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT)
    assert dialer("clients", "set", "acme", "--policy", "applications=Wait").code == 0
    assert dialer("clients", "set", "acme", "--channels", "3").code == 0
    assert stored(dialer).policy.applications == {"Wait"}
    assert dialer("clients", "set", "acme", "--policy", "applications=default").code == 0
    assert stored(dialer).policy == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        ("nonsense", "NAME=VALUES"),
        ("nonsense=x", "no list 'nonsense'"),
        ("applications+=System", "refused by Asterisk"),
        ("dial_options-=g", "not on the list"),
    ],
)
def test_a_wrong_policy_changes_nothing(dialer: Terminal, change: str, saying: str) -> None:
    dialer(*ADD_CLIENT)
    before = stored(dialer)
    words = ("clients", "set", "acme", "--policy", "prefixes=98", "--policy", change)
    dialer.refuses(*words, "--channels", "9", saying=saying)
    assert stored(dialer) == before
    dialer.refuses("clients", "set", "nobody", "--policy", "prefixes=98", saying="no client nobody")
    dialer.refuses("clients", "policy", "nobody", saying="no client nobody")


def test_every_change_is_noted_with_who_made_it(
    dialer: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    dialer(*ADD_CLIENT)
    dialer("clients", "set", "acme", "--policy", "prefixes=98")
    dialer("clients", "allocate", "acme")
    dialer("clients", "rotate-key", "acme")
    dialer("clients", "suspend", "acme")
    entries = dialer.store(lambda store: store.audit(10))
    assert [(entry.actor, entry.action) for entry in reversed(entries)] == [
        ("operator ann", action)
        for action in ("client.add", *["client.change"] * 2, "client.key", "client.change")
    ]
    assert entries[-2].details == {"policy": [{}, {"prefixes": ["98"]}]}


def test_requests_a_minute_are_limited_and_freed(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT)
    for given, kept in (("600", 600), ("0", None)):
        assert dialer("clients", "set", "acme", "--rate-limit", given).code == 0
        assert dialer.store(lambda store: store.client("acme")).rate_limit == kept


def test_a_signing_secret_is_there_from_the_beginning_and_turns_over(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT)
    first = dialer("clients", "signing-secret", "acme")
    assert first.code == 0
    assert first.out.startswith("whsec_")
    assert dialer("clients", "signing-secret", "acme").out == first.out
    second = dialer("clients", "signing-secret", "acme", "--rotate", "--grace", "2")
    assert second.out.startswith("whsec_")
    assert second.out != first.out
    assert dialer("clients", "signing-secret", "acme").out == second.out
    signing = dialer.store(lambda store: store.receivers()).signing[1]
    assert signing.version == 2
    assert 7100 < signing.grace_until - time.time() <= 7200
    assert dialer("clients", "signing-secret", "acme", "--rotate", "--grace", "0").code == 0
    assert dialer.store(lambda store: store.receivers()).signing[1] == Signing(3, None)
    dialer.refuses("clients", "signing-secret", "nobody", saying="nobody")


def test_signing_secrets_are_neither_in_the_database_nor_in_the_log(
    dialer: Terminal, tmp_path: Path
) -> None:
    dialer(*ADD_CLIENT)
    secrets = [
        dialer("clients", "signing-secret", "acme", *more).out.strip()
        for more in ((), ("--rotate",))
    ]
    log = dialer("audit", "--format", "json").out
    assert '"action": "client.signing-secret"' in log
    key = (tmp_path / "dialer.db.signing-key").read_text().strip()
    stored = b"".join(
        path.read_bytes() for path in tmp_path.glob("dialer.db*") if "key" not in path.name
    )
    for secret in secrets:
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        assert raw not in stored
        assert secret.removeprefix("whsec_").encode() not in stored
        assert secret not in log
    assert key.encode() not in stored
    assert bytes.fromhex(key) not in stored


def test_show_has_every_setting_and_list_no_token(dialer: Terminal) -> None:
    url = "https://acme.example/cdr/secret-token?key=hidden"
    dialer(*ADD_CLIENT, "--callback", url, "--did", "+15550100", "--endpoint", "trunk")
    dialer("clients", "set", "acme", "--rate-limit", "600", "--prefix", "00")
    shown = dialer("clients", "show", "acme").out
    for text in (url, "+15550100", "trunk", "600", "00", "Wait(1)", "UTC", "active"):
        assert text in shown
    listed = dialer("clients", "list").out
    assert "https://acme.example" in listed
    assert "secret-token" not in listed
    dialer.refuses("clients", "show", "nobody", saying="no client nobody")


def test_a_client_without_channels_says_so(dialer: Terminal) -> None:
    dialer(*ADD_CLIENT)
    dialer("clients", "set", "acme", "--channels", "0")
    assert "no channels" in dialer("clients", "list").out


def test_add_refuses_an_endpoint_that_cannot_be(dialer: Terminal) -> None:
    dialer.refuses(*ADD_CLIENT, "--endpoint", "a&b", saying="--endpoint")
