"""`dialer cdrs`: the records of all calls, out of the database."""

import os
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

import typer

from dialer.cli import cdr_options as options
from dialer.cli.workspace import with_store
from dialer.errors import SettingsError
from dialer.export import Format, write_lines
from dialer.histories import CdrQuery, CdrRow, HourWindow
from dialer.local_times import find_end, find_start
from dialer.store.contract import Store

app = typer.Typer()

CLOSED_PIPE: Final = 141
"""The exit code where whoever reads has gone, as a shell has it for SIGPIPE."""

_HOURS: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
_DAY: Final = 86_400


@app.callback()
def group() -> None:
    """Call detail records."""


@app.command()
def export(
    format_: options.Form = Format.CSV,
    output: options.Output = None,
    client: options.Account = None,
    zone: options.Zone = None,
    from_: options.From = None,
    until: options.Until = None,
    hours: options.Hours = None,
    dispositions: options.Dispositions = None,
    apps: options.Apps = None,
    directions: options.Directions = None,
    projects: options.Projects = None,
    number: options.Number = None,
    number_part: options.NumberPart = None,
    source_part: options.SourcePart = None,
    destination_part: options.DestinationPart = None,
    extension: options.Extension = None,
    duration: options.Duration = None,
    queue_id: options.QueueId = None,
    queue_name: options.QueueName = None,
    server_code: options.ServerCode = None,
    contact_number: options.ContactNumber = None,
    recorded: options.Recorded = None,
    final: options.Final = None,
    from_id: options.FromId = None,
    cdr_id: options.CdrId = None,
    call_id: options.CallId = None,
    uniqueid: options.Uniqueid = None,
    sip_call_id: options.SipCallId = None,
) -> None:
    """Write call detail records as CSV or NDJSON, the oldest first.

    What every option that is given fits is written, as far as it is there when
    this begins; any number of records takes the same memory. A FILE is there
    when all of it is. In CSV a text that a spreadsheet would take for a formula
    has an apostrophe before it; phone numbers like +4930123456 have none.

    Example: dialer cdrs export --client acme --from 2025-01-01 -o january.csv
    """
    filters = read_filters(locals())

    async def work(store: Store) -> None:
        whose = None if client is None else await store.client(client)
        clock = read_zone(zone or (whose.timezone if whose is not None else "UTC"))
        filters.update(read_times(clock, from_, until, hours))
        query = CdrQuery(None if whose is None else whose.id, **filters)
        with open_output(output) as target:
            await copy(store.cdr_stream(query), format_, clock, target)

    try:
        with_store(work)
    except BrokenPipeError:
        # What is still to be written can go nowhere; the interpreter would complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(CLOSED_PIPE) from None


def read_filters(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Of the options those that are filters as they are: they are named as `CdrQuery` does it."""
    times = ("started_from", "started_until", "hours", "client_id")
    names = {f.name for f in fields(CdrQuery)}.difference(times)
    given = {name: value for name, value in chosen.items() if name in names and value is not None}
    return {n: frozenset(v) if isinstance(v, list) else v for n, v in given.items()}


async def copy(
    pieces: AsyncIterator[tuple[CdrRow, ...]], form: Format, zone: ZoneInfo, target: BinaryIO
) -> None:
    """Write the rows, a piece at a time."""
    write = write_lines(form, zone)
    target.write(write(()))
    async for rows in pieces:
        target.write(write(rows))
    target.flush()


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """The terminal, or a file that has its name when all is written. Raises `SettingsError`."""
    if path is None:
        yield sys.stdout.buffer
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as target:
            yield target
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SettingsError(f"{path} can not be written: {error.strerror}") from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_zone(name: str) -> ZoneInfo:
    """Raises `SettingsError`."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise SettingsError(f"--zone: there is no time zone {name}") from None


def read_times(
    zone: ZoneInfo, from_: str | None, until: str | None, hours: str | None
) -> dict[str, Any]:
    """The filters by time that the options name. Raises `SettingsError`."""
    made: dict[str, Any] = {}
    if from_ is not None:
        made["started_from"] = _moment("from", from_, find_start(from_, zone))
    if until is not None:
        made["started_until"] = _moment("until", until, find_end(until, zone))
    if hours is not None:
        made["hours"] = read_hours(hours, zone.key)
    return made


def read_hours(text: str, zone: str) -> HourWindow:
    """`22:00-06:00` crosses midnight. Raises `SettingsError`."""
    match = _HOURS.fullmatch(text)
    if match is not None:
        start, end = (int(match[n]) * 3600 + int(match[n + 1]) * 60 for n in (1, 3))
        minutes = int(match[2]), int(match[4])
        if start < _DAY and end <= _DAY and max(minutes) < 60:
            return HourWindow(start, end, zone)
    raise SettingsError(f"--hours: {text} is not like 09:00-17:30")


def _moment(option: str, text: str, moment: float | None) -> float:
    if moment is None:
        raise SettingsError(f"--{option}: {text} is no time like 2025-01-15 or 2025-01-15 10:30:00")
    return moment
