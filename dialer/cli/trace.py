"""`dialer trace`: recorded AMI traffic shown, counted, cut and made anonymous."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from ami.trace import (
    Anonymizer,
    Beginnings,
    Direction,
    Piece,
    Record,
    Selection,
    TraceError,
    moment_of,
    split_records,
    write_trace,
)
from dialer.cli.cdrs import CLOSED_PIPE
from dialer.cli.replay import parse_window, write_count
from dialer.errors import SettingsError
from dialer.replay.sessions import TracedSession, open_sessions
from dialer.replay.statistics import Statistics, collect_statistics

app = typer.Typer()

_SHORTEST_KEY: Final = 16
_NEVER: Final = 253_402_300_800.0  # the year 10,000: a damaged time

Files = Annotated[list[Path], typer.Argument(help="Traces, raw AMI, JSON, logs; .gz too.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The new trace; not there yet.")]
Calls = Annotated[
    list[str] | None, typer.Option("--call", help="All of this call (an id of a channel of it).")
]
Since = Annotated[str | None, typer.Option("--from", help="Then or later.")]
Until = Annotated[str | None, typer.Option("--to", help="Before.")]


@app.command()
def show(
    files: Files,
    call: Calls = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", help="Events and actions of this name.")
    ] = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Print what was said: `<` by Asterisk, `>` to it, `*` notes of the recorder. Times are UTC.

    Example: dialer trace show pbx1.trace --call 0190a1b2-7c3d-7def-8123-456789abcdef
    """
    window = Beginnings(*parse_window(since, until))
    names = {name.lower() for name in event or ()}
    selection = select_calls(files, call) if call else None

    def wants(piece: Piece) -> bool:
        named = not names or (piece.message is not None and piece.message.name.lower() in names)
        wanted = selection is None or selection.wants(piece)
        return named and wanted and window.holds(moment_of(piece))

    try:
        for session in open_all(files):
            for piece in filter(wants, guard(split_records(session))):
                typer.echo(describe(piece))
            tell_problems(session)
    except BrokenPipeError:
        # What is still to be shown can go nowhere; the interpreter would complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(CLOSED_PIPE) from None


@app.command()
def stats(files: Files) -> None:
    """Count what a trace holds: messages, bytes, calls, the time that it spans, what is missing.

    Example: dialer trace stats pbx1.trace
    """
    for session in open_all(files):
        typer.echo(" ".join(trace.name for trace in session.traces))
        for line in describe_statistics(guard_whole(collect_statistics, session)):
            typer.echo(f"  {line}")
        tell_problems(session)


@app.command(name="slice")
def slice_(
    files: Files, output: Output, call: Calls = None, since: Since = None, until: Until = None
) -> None:
    """Write a trace of some calls alone: all their events, actions and answers.

    The calls are those that --call names, or that began between --from and --to. It replays to the
    same CDRs for them.

    Example: dialer trace slice pbx1.trace --from 2026-11-21T06:08:00Z -o later.trace
    """
    if bool(call) != (since is None and until is None):
        raise SettingsError("say which calls: either --call, or --from and --to")
    calls: Iterable[str] = call or ()
    if not call:
        window = Beginnings(*parse_window(since, until))
        for piece in read_pieces(files):
            window.take(piece)
        calls = window.ids
    selection = select_calls(files, calls)
    kept = (piece.record() for piece in read_pieces(files) if selection.wants(piece))
    save(output, kept)


@app.command()
def anonymize(
    files: Files,
    output: Output,
    key_file: Annotated[
        Path | None,
        typer.Option(help="A file of random bytes: the same key gives the same pseudonyms."),
    ] = None,
) -> None:
    """Write a trace without numbers, names, hosts, ids and values of variables.

    Each becomes another of its form, the same everywhere; the trace replays to the same CDRs but
    for these. Times, states and causes stay. Without --key-file the key is random and forgotten.

    Example: dialer trace anonymize customer.trace -o tests/traces/transfer.trace
    """
    anonymizer = Anonymizer(os.urandom(32) if key_file is None else read_key(key_file))
    save(output, anonymizer.rewrite(open_one(files)))


def open_all(files: Iterable[Path]) -> list[TracedSession]:
    """The sessions of these files. Raises `SettingsError`."""
    try:
        return open_sessions(files)
    except TraceError as error:
        raise SettingsError(str(error)) from None


def open_one(files: Iterable[Path]) -> TracedSession:
    """The one session of these files. Raises `SettingsError` where there are several."""
    sessions = open_all(files)
    if len(sessions) != 1:
        raise SettingsError(
            f"these files hold {len(sessions)} sessions, and a trace holds one: "
            "give those of one server at a time"
        )
    return sessions[0]


def read_pieces(files: Iterable[Path]) -> Iterator[Piece]:
    return guard(split_records(open_one(files)))


def select_calls(files: list[Path], calls: Iterable[str]) -> Selection:
    """What belongs to these calls: the files are read until nothing more is found. Exits with 1
    where there is nothing."""
    selection, found = Selection(calls), False
    while sum(
        selection.learn(piece)
        for session in open_all(files)
        for piece in guard(split_records(session))
    ):
        found = True
    if not found:
        typer.echo("no such call in there", err=True)
        raise typer.Exit(1)
    return selection


def guard(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """A file that cannot be read on is one sentence."""
    try:
        yield from pieces
    except TraceError as error:
        raise SettingsError(str(error)) from None


def guard_whole(
    collect: Callable[[Iterable[Record]], Statistics], session: TracedSession
) -> Statistics:
    try:
        return collect(session)
    except TraceError as error:
        raise SettingsError(str(error)) from None


def save(output: Path, records: Iterable[Record]) -> None:
    """Write a new trace, whole or not at all, and say how large it is."""
    try:
        count = write_trace(output, records)
    except TraceError as error:
        raise SettingsError(str(error)) from None
    except FileExistsError:
        raise SettingsError(f"{output} is there already") from None
    except OSError as error:
        raise SettingsError(f"{output} cannot be written: {error.strerror or error}") from None
    typer.echo(f"{output}: {count:,} records, {output.stat().st_size:,} bytes")


def read_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(key) < _SHORTEST_KEY:
        raise SettingsError(f"{path}: a key has {_SHORTEST_KEY} bytes or more")
    return key


def tell_problems(session: TracedSession) -> None:
    for problem in session.problems:
        typer.echo(f"not read: {problem}", err=True)


def describe(piece: Piece) -> str:
    """A piece as people read it: when, whose, what, and its headers beneath."""
    head = f"{show_moment(moment_of(piece))} {piece.direction.value} "
    if piece.message is None:
        return head + make_visible(piece.data.decode("utf-8", "replace").strip()) + "\n"
    kind = "" if piece.direction is Direction.SENT else f"{piece.message.kind.value} "
    lines = [make_visible(f"{name}: {value}") for name, value in piece.message.headers]
    return "\n    ".join([head + kind + make_visible(piece.message.name), *lines]) + "\n"


def make_visible(text: str) -> str:
    """Without what would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def show_moment(at: float | None) -> str:
    """`2026-11-21 06:08:14.123456`; blanks of that width where the trace has no clock."""
    if at is None:
        return " " * 26
    if at >= _NEVER:
        return f"{at:26.6f}"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def describe_statistics(found: Statistics) -> list[str]:
    """The figures, a line each."""
    lines = []
    if found.begun_at is not None and found.ended_at is not None:
        span = found.ended_at - found.begun_at
        lines.append(f"from {show_moment(found.begun_at)} to {show_moment(found.ended_at)} UTC")
        lines.append(f"{span:,.3f} s; longest silence {found.silence[0]:,.3f} s")
    lines.append(f"{found.received_bytes:,} bytes received, {found.sent_bytes:,} sent")
    lines.append(f"{found.logins} greetings of Asterisk, {found.interrupted} interruptions")
    lines += [f"  {show_moment(at)} {make_visible(text)}" for at, text in found.interruptions]
    calls = sum(found.calls.values())
    lines.append(f"{calls} calls, {found.partial} in part, {found.others} of nobody over AMI")
    if found.probes:
        lines.append(f"{write_count(found.probes, 'look')} of `dialer servers check`")
    lines += [f"  {count:>9,} {name}" for name, count in found.calls.most_common()]
    lines.append(f"{sum(found.messages.values()):,} messages")
    lines += [f"  {count:>9,} {make_visible(name)}" for name, count in found.messages.most_common()]
    return lines
