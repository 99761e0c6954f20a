"""`dialer replay`: the CDRs of recorded AMI traffic."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Column, Table

from ami.trace import Record, TraceError, read_moment
from dialer.errors import SettingsError
from dialer.replay.cdrs import write_cdr
from dialer.replay.comparison import compare_cdrs, read_expected
from dialer.replay.explanation import Explainer
from dialer.replay.follower import Follower, TracedCall
from dialer.replay.sessions import TracedSession, open_sessions

MAX: Final = "max"
_WRITER: Final = json.JSONEncoder(ensure_ascii=False)
_TOGETHER: Final = 100  # lines
_WIDE: Final = 400  # columns of a terminal that is a file


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which calls are shown: begun in [since, until), this one alone, and whether also those that
    nobody originated over AMI, and the looks of `servers check`, which are no calls."""

    since: float | None
    until: float | None
    call: str | None
    all: bool

    def names(self, call: TracedCall) -> bool:
        """Whether it is the call asked for, or began in the time asked for."""
        begun = call.report.started_at if call.report is not None else call.first_at
        return (
            (self.call is None or call.channel_id == self.call)
            and (self.since is None or begun >= self.since)
            and (self.until is None or begun < self.until)
        )

    def shows(self, call: TracedCall) -> bool:
        """Whether it is shown, of those that are named."""
        return self.all or self.call is not None or not (call.of_nobody or is_probe(call))


@dataclass(slots=True)
class Found:
    """What the files hold: the CDRs of the calls chosen, how many of these calls there are, whole
    or in part, and the ids of those not chosen. CDRs and ids as far as they are kept."""

    cdrs: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0
    unchosen: set[str] = field(default_factory=set)


@dataclass(slots=True)
class LeftOut:
    """How many calls are not shown, and why."""

    others: int = 0
    probes: int = 0

    def count(self, call: TracedCall) -> None:
        self.probes += is_probe(call)
        self.others += call.of_nobody

    def tell(self) -> None:
        if self.others:
            calls = write_count(self.others, "call")
            typer.echo(f"{calls} that nobody originated over AMI: shown with --all", err=True)
        if self.probes:
            probes = write_count(self.probes, "look")
            typer.echo(f"{probes} of `dialer servers check`: shown with --all", err=True)


class Lines:
    """Lines of standard output that are written `together`: a write for each costs as much as
    following the call did."""

    def __init__(self, together: int) -> None:
        self._together: Final = together
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= self._together:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            typer.echo("\n".join(self._lines))
            self._lines.clear()


def is_probe(call: TracedCall) -> bool:
    return call.origin is not None and call.origin.is_probe


def write_count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def replay(
    files: Annotated[list[Path], typer.Argument(help="Traces, raw AMI, JSON, logs; .gz too.")],
    speed: Annotated[str, typer.Option(help="1: as it was; 10: ten times as fast; max.")] = MAX,
    since: Annotated[str | None, typer.Option("--from", help="Calls begun then or later.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Calls begun before.")] = None,
    call: Annotated[str | None, typer.Option(help="This call alone (its ChannelId).")] = None,
    format_: Annotated[Format, typer.Option("--format", help="json: a CDR a line.")] = Format.TABLE,
    expect: Annotated[
        Path | None, typer.Option(help="CDRs to compare with: a diff and exit 1 if they differ.")
    ] = None,
    write_expect: Annotated[
        Path | None, typer.Option(help="Write the CDRs there, to be expected another time.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option(help="The timeline of this call (its ChannelId).")
    ] = None,
    all_: Annotated[
        bool,
        typer.Option(
            "--all", help="Also what nobody originated over AMI, and looks of servers check."
        ),
    ] = False,
) -> None:
    """Print the CDRs of recorded AMI traffic, made by the tracker that runs in production.

    Example: dialer replay pbx1.trace --format json
    """
    choice = Choice(*parse_window(since, until), call, all_)
    check_files(files, expect, write_expect, explain)
    pace = parse_speed(speed)
    wanted = None if expect is None else read_expected(read_text(expect), str(expect))
    try:
        sessions = open_sessions(files)
        if explain is not None:
            show_timeline(sessions, explain)
            return
        shown = None if wanted is not None else format_
        keep = shown is not Format.JSON or write_expect is not None
        found = show_calls(sessions, choice, pace, shown, keep=keep)
    except TraceError as error:
        raise SettingsError(str(error)) from error
    if call is not None and not found.calls:
        typer.echo(f"no call {call} in there", err=True)
        raise typer.Exit(1)
    if write_expect is not None:
        write_text(write_expect, "".join(write_line(cdr) + "\n" for cdr in found.cdrs))
    if wanted is not None:
        of_others = found.unchosen - {str(cdr["channel_id"]) for cdr in found.cdrs}
        wanted = {name: cdr for name, cdr in wanted.items() if name not in of_others}
        show_differences(compare_cdrs(wanted, found.cdrs), len(found.cdrs))


def show_calls(
    sessions: list[TracedSession],
    choice: Choice,
    pace: float | None,
    shown: Format | None,
    *,
    keep: bool = True,
) -> Found:
    """Print the calls that are wanted, as JSON while they end; their CDRs, where they are to be
    kept: a month's trace has more of them than memory."""
    found = Found()
    partial: list[TracedCall] = []
    left_out = LeftOut()
    lines = Lines(_TOGETHER if pace is None else 1)
    for session in sessions:
        follower = Follower()
        for traced in follow(session, follower, pace):
            if not choice.names(traced):
                if keep:
                    found.unchosen.add(traced.channel_id)
                continue
            found.calls += 1
            if not choice.shows(traced):
                left_out.count(traced)
            elif traced.report is None:
                partial.append(traced)
            else:
                cdr = write_cdr(traced)
                if keep:
                    found.cdrs.append(cdr)
                if shown is Format.JSON:
                    lines.add(write_line(cdr))
        lines.flush()
        for problem in session.problems:
            typer.echo(f"not read: {problem}", err=True)
    if shown is Format.TABLE and found.cdrs:
        show_table(found.cdrs)
    elif shown is Format.TABLE:
        typer.echo("no calls to show", err=True)
    for traced in partial:
        typer.echo(f"in part: {traced.channel_id}: {traced.missing}", err=True)
    if not choice.all and choice.call is None:
        left_out.tell()
    return found


def follow(session: TracedSession, follower: Follower, pace: float | None) -> Iterator[TracedCall]:
    """The calls of a session, at the speed at which it was recorded times `pace`."""
    begun: tuple[float, float] | None = None
    for record in session:
        if pace is not None and record.at is not None:
            begun = begun or (record.at, time.monotonic())
            wait(record, begun, pace)
        yield from follower.feed(record)
    yield from follower.finish()


def wait(record: Record, begun: tuple[float, float], pace: float) -> None:
    """Until the record's turn comes."""
    due = begun[1] + ((record.at or 0.0) - begun[0]) / pace
    if (ahead := due - time.monotonic()) > 0:
        time.sleep(ahead)


def show_table(cdrs: list[dict[str, Any]]) -> None:
    """The calls as a table, a line each."""
    names = "call", "number", "disposition", "began (UTC)", "rang", "talked", "cause", "SIP"
    columns = [Column(name, no_wrap=True) for name in (*names, "second leg", "why")]
    table = Table(*columns, box=None, pad_edge=False)
    for cdr in cdrs:
        leg_b = cdr["leg_b"] or {}
        cells = [cdr["channel_id"], cdr["number"], cdr["disposition"], show_time(cdr["started_at"])]
        numbers = cdr["ring_seconds"], cdr["billsec"], cdr["cause"], cdr["sip_code"]
        cells += ["" if value is None else str(value) for value in numbers]
        second = leg_b.get("dial_status") or (
            "bridged" if cdr["leg_b"] and cdr["connected"] else ""
        )
        table.add_row(*cells, second, cdr["error_message"] or "")
    console = Console(markup=False, highlight=False, emoji=False)  # they are others' words
    if not console.is_terminal:  # a file has no width
        console.width = _WIDE
    console.print(table)


def show_timeline(sessions: list[TracedSession], channel_id: str) -> None:
    """Print what happened in one call. Exits with 1 where no session has it."""
    seen = False
    for session in sessions:
        follower = Follower()
        explainer = Explainer(channel_id, follower.tracker)
        follower.watch = explainer.take
        missing = [c.missing for c in follow(session, follower, None) if c.channel_id == channel_id]
        for line in explainer.lines:
            typer.echo(line)
        for why in filter(None, missing):
            typer.echo(f"in part: {why}")
        seen = seen or bool(missing)
    if not seen:
        typer.echo(f"no call {channel_id} in there", err=True)
        raise typer.Exit(1)


def show_differences(lines: list[str], count: int) -> None:
    """Print how the CDRs differ from what was expected. Exits with 1 where they do."""
    for line in lines:
        typer.echo(line)
    if lines:
        typer.echo(f"{len(lines)} differences in {count} CDRs", err=True)
        raise typer.Exit(1)
    typer.echo(f"{count} CDRs, all as expected")


def show_time(at: float | None) -> str:
    """`2026-11-21 06:08:14.123`, or nothing where the trace has no clock."""
    if at is None:
        return ""
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    return f"{whole}.{int(at * 1000) % 1000:03}"


def write_line(cdr: dict[str, Any]) -> str:
    return _WRITER.encode(cdr)


def parse_moment(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    at = read_moment(text)
    if at is None:
        raise SettingsError(f"{option}: '{text}' is no time: write 2026-11-21T06:08:14Z or seconds")
    return at


def parse_window(since: str | None, until: str | None) -> tuple[float | None, float | None]:
    """The times of --from and --to. Raises SettingsError where nothing can be between them."""
    begin, end = parse_moment("--from", since), parse_moment("--to", until)
    if begin is not None and end is not None and begin >= end:
        raise SettingsError(f"--from {since} is not before --to {until}")
    return begin, end


def check_files(
    files: list[Path], expect: Path | None, write_expect: Path | None, explain: str | None
) -> None:
    """Raises SettingsError where what was asked for would not be done, or undo a trace."""
    if explain is not None and (expect is not None or write_expect is not None):
        raise SettingsError("--explain compares nothing: leave out --expect and --write-expect")
    if write_expect is not None and write_expect.resolve() in {file.resolve() for file in files}:
        raise SettingsError(f"{write_expect} is the trace: write the CDRs to another file")


def parse_speed(text: str) -> float | None:
    """How many times as fast as it was; None: as fast as it goes."""
    if text == MAX:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.001 <= speed <= 1_000_000:
        raise SettingsError(f"--speed: '{text}' is neither max nor a number like 1 or 10")
    return speed


def read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} cannot be read: it is not UTF-8") from error


def write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror or error}") from error
