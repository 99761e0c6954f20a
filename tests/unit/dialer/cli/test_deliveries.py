"""`dialer deliveries`."""

import json
import time
from typing import Any

import pytest

from dialer.cli.deliveries import read_time
from dialer.errors import SettingsError
from dialer.store.contract import DeliveryFilter, DeliveryOutcome, Store, Task
from tests import store_records as make
from tests.unit.dialer.cli.conftest import ADD_CLIENT, ADD_SERVER, Terminal

NOW = make.NOW
OTHER = ("clients", "add", "Other", "--accountcode", "other", "--channels", "1")


@pytest.fixture
def letters(dialer: Terminal) -> Terminal:
    """1: a dead callback, 2: a delivered one, 3: a dead CDR whose task failed, 4: one that waits,
    all made a second apart; 5 is a dead callback of another client."""
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT)
    dialer(*OTHER)

    async def fill(store: Store) -> None:
        kinds = (
            make.delivery("a"),
            make.delivery("b"),
            make.delivery("c", kind="sgapi", endpoint="sgapi", method="PUT"),
            make.delivery("d"),
            make.delivery("e", client_id=2),
        )
        for place, new in enumerate(kinds):
            batch = make.batch(make.item())
            queue_id = (await store.insert_batch(batch)).queue_id
            (candidate,) = await store.waiting(queue_id, 1, 0, 1)
            attempt = make.reservation(candidate, NOW)
            assert await store.reserve(attempt)
            settled = make.settlement(attempt, deliveries=(new,), now=NOW + place)
            await store.settle(settled)
        failed = Task(NOW, 2, 0, "failed", "error", None, "invalid queue_id", 3)
        for number, error, task in ((1, "HTTP 500", None), (3, "failed", failed), (5, "no", None)):
            dead = DeliveryOutcome(number, False, True, None, 500, error, NOW + 9, task=task)
            assert await store.record_delivery(dead)
        assert await store.record_delivery(
            DeliveryOutcome(2, True, False, None, 200, None, NOW + 9)
        )

    dialer.store(fill)
    return dialer


def listed(dialer: Terminal, *options: str) -> list[int]:
    out = dialer("deliveries", "list", "--format", "json", *options).out
    return [json.loads(line)["id"] for line in out.splitlines()]


def states(dialer: Terminal) -> dict[int, str]:
    out = dialer("deliveries", "list", "--state", "all", "--format", "json").out
    rows = [json.loads(line) for line in out.splitlines()]
    return {row["id"]: row["state"] for row in rows}


def test_the_dead_ones_are_listed_the_latest_first(letters: Terminal) -> None:
    assert listed(letters) == [5, 3, 1]
    assert listed(letters, "--limit", "1") == [5]
    assert listed(letters, "--state", "all") == [5, 4, 3, 2, 1]
    assert listed(letters, "--state", "pending") == [4]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (("--client", "acme"), [3, 1]),
        (("--client", "other"), [5]),
        (("--kind", "sgapi"), [3]),
        (("--endpoint", "https://acme.example"), [5, 1]),
        (("--since", "2025-06-15T15:06:42.25"), [5, 3]),
        (("--until", "2025-06-15T15:06:42.25+00:00"), [1]),
    ],
)
def test_filters(letters: Terminal, options: tuple[str, str], ids: list[int]) -> None:
    assert listed(letters, *options) == ids


def test_the_table_says_why(letters: Terminal) -> None:
    printed = letters("deliveries", "list").out
    for words in ("HTTP 500", "other", "sgapi", "dead", "2025-06-15T15:06:40Z"):
        assert words in printed


def test_show_tells_all_of_one(letters: Terminal) -> None:
    shown = json.loads(letters("deliveries", "show", "3", "--format", "json").out)
    assert (shown["client"], shown["event_id"], shown["state"]) == ("acme", "c", "dead")
    assert (shown["tries"], shown["status"], shown["error"]) == (1, 500, "failed")
    assert shown["body"] == {"name": "Zoë"}
    task = shown["task"]
    assert (task["state"], task["sgapi_status"], task["reference"]) == ("failed", "error", None)
    assert (task["error"], task["retry_count"], task["looks"]) == ("invalid queue_id", 3, 2)
    printed = letters("deliveries", "show", "3").out
    assert "invalid queue_id" in printed
    assert "https://acme.example/cdr" in printed
    letters.refuses("deliveries", "show", "99", saying="no delivery 99")


@pytest.mark.parametrize(
    ("words", "said", "again"),
    [
        (("1",), "1 delivery is sent again", {1}),
        (("1", "5"), "2 deliveries are sent again", {1, 5}),
        (("--client", "acme"), "2 deliveries are sent again", {1, 3}),
        (("--kind", "callback"), "2 deliveries are sent again", {1, 5}),
        (("--since", "2025-06-15T15:06:42"), "2 deliveries are sent again", {3, 5}),
        (("--client", "acme", "--until", "2025-06-15T15:06:42"), "1 delivery is", {1}),
        (("--all",), "3 deliveries are sent again", {1, 3, 5}),
    ],
)
def test_retry(letters: Terminal, words: tuple[str, ...], said: str, again: set[int]) -> None:
    before = states(letters)
    assert said in letters("deliveries", "retry", *words).out
    after = states(letters)
    assert {id_ for id_ in after if after[id_] != before[id_]} == again
    assert {after[id_] for id_ in again} == {"pending"}


def test_a_retried_one_begins_anew_and_the_log_says_who(
    letters: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    letters("deliveries", "retry", "3")
    shown: dict[str, Any] = json.loads(letters("deliveries", "show", "3", "--format", "json").out)
    assert (shown["state"], shown["tries"], shown["task"]) == ("pending", 0, None)
    assert shown["ended_at"] is None
    entry = json.loads(letters("audit", "--format", "json", "--limit", "1").out)
    assert (entry["actor"], entry["action"]) == ("operator ann", "delivery.retry")
    assert (entry["details"]["count"], entry["details"]["ids"]) == (1, [3])
    totals = letters.store(lambda store: store.totals()).deliveries
    assert totals == {
        "callback/pending": 1, "callback/delivered": 1, "callback/dead": 2, "sgapi/pending": 1,
    }  # fmt: skip


def test_a_retried_one_is_due_now_by_the_databases_clock(
    letters: Terminal, wrong_clock: None
) -> None:
    letters("deliveries", "retry", "1")
    (record,) = letters.store(lambda store: store.deliveries(DeliveryFilter(ids=(1,)), 1))
    assert record.delivery.due_at < time.time() - 1800.0


def test_what_is_not_dead_is_left_alone(letters: Terminal) -> None:
    answer = letters("deliveries", "retry", "2", "4", "77")
    assert (answer.code, answer.out) == (0, "0 deliveries are sent again\n")
    assert "3 of those named are not dead" in answer.err
    assert (states(letters)[2], states(letters)[4]) == ("delivered", "pending")


def test_wrong_words_are_refused(letters: Terminal) -> None:
    letters.refuses("deliveries", "retry", saying="say which deliveries")
    letters.refuses("deliveries", "list", "--client", "nobody", saying="nobody")
    letters.refuses("deliveries", "list", "--since", "yesterday", saying="--since")
    letters.refuses("deliveries", "list", "--state", "lost", saying="--state")
    letters.refuses("deliveries", "retry", "--kind", "pigeon", saying="--kind")
    for command in ("show", "retry"):
        letters.refuses("deliveries", command, str(2**63), saying=str(2**63 - 1))
    letters.refuses("deliveries", "show", str(2**63 - 1), saying="no delivery")


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert read_time("since", "2025-01-15") == 1736899200.0
    assert read_time("since", "2025-01-15T03:30+03:30") == 1736899200.0
    assert read_time("since", None) is None
    with pytest.raises(SettingsError):
        read_time("since", "1736899200")
