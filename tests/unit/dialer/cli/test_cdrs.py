"""`dialer cdrs export`."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from dialer.cli.cdrs import CLOSED_PIPE, read_hours, read_zone
from dialer.errors import SettingsError
from dialer.histories import HourWindow
from dialer.store.contract import Store
from tests import store_records as make
from tests.store_records import NOW
from tests.unit.dialer.cli.conftest import ADD_CLIENT, ADD_SERVER, Terminal

CALLS: tuple[dict[str, Any], ...] = (
    {"number": "9811", "disposition": "answered", "customer_name": "=1+1", "project": "one"},
    {"number": "9812", "disposition": "busy", "started_at": NOW + 7200, "project": "two"},
    {"number": "9813", "disposition": "failed", "started_at": NOW + 86_400, "final": False},
)


@pytest.fixture
def called(dialer: Terminal) -> Terminal:
    """A client in Tehran with three calls: 18:36 and 20:36 of a day, 18:36 of the next."""
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT)
    dialer("clients", "set", "acme", "--time-zone", "Asia/Tehran")

    async def work(store: Store) -> None:
        added = await store.insert_batch(make.batch(*[make.item() for _ in CALLS]))
        for candidate, call in zip(
            await store.waiting(added.queue_id, 1, 0, 10), CALLS, strict=True
        ):
            attempt = make.reservation(candidate)
            await store.reserve(attempt)
            cdr = make.cdr(attempt, **{"started_at": NOW, **call})
            await store.settle(make.settlement(attempt, cdr=cdr))

    dialer.store(work)
    return dialer


def numbers(printed: str) -> list[str]:
    return [json.loads(line)["number"] for line in printed.splitlines()]


def test_csv_for_a_spreadsheet(called: Terminal) -> None:
    rows = list(csv.DictReader(io.StringIO(called("cdrs", "export").out)))
    assert [row["number"] for row in rows] == ["9811", "9812", "9813"]
    assert rows[0]["customer_name"] == "'=1+1"
    assert rows[0]["started_at_iso"] == "2025-06-15T15:06:40.250+00:00"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), ["9811", "9812", "9813"]),
        (("--client", "acme", "--from", "2025-06-15", "--until", "2025-06-15"), ["9811", "9812"]),
        (("--client", "acme", "--from", "2025-06-15 20:36:41"), ["9813"]),
        (("--client", "acme", "--until", "2025-06-15 18:36:40"), ["9811"]),
        (("--until", "2025-06-15T15:06"), []),
        (("--hours", "18:00-20:00", "--zone", "Asia/Tehran"), ["9811", "9813"]),
        (("--client", "acme", "--hours", "20:00-18:00"), ["9812"]),
        (("--disposition", "busy", "--disposition", "failed"), ["9812", "9813"]),
        (("--project", "two"), ["9812"]),
        (("--app", "autocall", "--final"), ["9811", "9812"]),
        (("--app", "dial"), []),
        (("--direction", "inbound"), []),
        (("--number", "9812"), ["9812"]),
        (("--destination-part", "13", "--not-final"), ["9813"]),
        (("--from-id", "2", "--not-recorded", "--server", "pbx1"), ["9812", "9813"]),
        (("--queue", "2"), []),
    ],
)
def test_filters(called: Terminal, options: tuple[str, ...], found: list[str]) -> None:
    answer = called("cdrs", "export", "--format", "ndjson", *options)
    assert (answer.code, numbers(answer.out)) == (0, found)


def test_times_are_those_of_the_clients_clock(called: Terminal) -> None:
    first = json.loads(
        called("cdrs", "export", "--format", "ndjson", "--client", "acme").out.splitlines()[0]
    )
    assert first["started_at_iso"] == "2025-06-15T18:36:40.250+03:30"


def test_a_file_is_there_when_all_of_it_is(called: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "out.ndjson"
    file.write_text("of before")
    answer = called("cdrs", "export", "--format", "ndjson", "-o", str(file))
    assert (answer.code, answer.out) == (0, "")
    assert numbers(file.read_text()) == ["9811", "9812", "9813"]
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.ndjson"]


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        (("--client", "nobody"), "there is no client nobody"),
        (("--zone", "Mars/Base"), "--zone: there is no time zone Mars/Base"),
        (("--zone", "../etc"), "--zone"),
        (("--from", "yesterday"), "--from: yesterday is no time like 2025-01-15"),
        (("--until", "2025-13-01"), "--until"),
        (("--hours", "9-17"), "--hours: 9-17 is not like 09:00-17:30"),
        (("--disposition", "lost"), "lost"),
        (("--format", "xml"), "xml"),
        (("-o", "nowhere/out.csv"), "nowhere/out.csv can not be written: No such file"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    called: Terminal, options: tuple[str, ...], saying: str
) -> None:
    called.refuses("cdrs", "export", *options, saying=saying)


def test_a_reader_that_leaves_is_no_error_to_talk_about(
    called: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        answer = called("cdrs", "export")
        monkeypatch.undo()
    assert (answer.code, answer.err) == (CLOSED_PIPE, "")


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("09:00-17:30", HourWindow(32_400, 63_000, "UTC")),
        ("22:00-06:00", HourWindow(79_200, 21_600, "UTC")),
        ("00:00-24:00", HourWindow(0, 86_400, "UTC")),
    ],
)
def test_hours(text: str, window: HourWindow) -> None:
    assert read_hours(text, "UTC") == window


@pytest.mark.parametrize("text", ["24:00-01:00", "09:60-10:00", "09:00-24:01", "09:00", "a"])
def test_what_are_no_hours(text: str) -> None:
    with pytest.raises(SettingsError, match="--hours"):
        read_hours(text, "UTC")


def test_a_zone_by_its_name() -> None:
    assert read_zone("Asia/Tehran").key == "Asia/Tehran"
