"""`dialer demo`: the whole product on this machine, from a loaded batch to delivered CDRs."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from dialer.demo import DemoError, Progress, prepare_folder, run_demo
from dialer.outcome import Outcome

PLAIN_EVERY: Final = 2.0
"""Seconds between two lines of progress where there is no terminal."""


def demo(
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the database and the CDRs; none: a new one for temporary files.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show it all: API, worker and delivery against a simulated Asterisk, with receivers.

    Loads a batch over HTTP, shows its progress, and prints what came of it and where the CDRs are.
    Exit code 0 only if every item ended and every delivery arrived. Needs nothing but this
    machine, and listens on 127.0.0.1 only.

    Example: dialer demo --keep first-look
    """
    console = Console()
    try:
        folder = keep or Path(tempfile.mkdtemp(prefix="dialer-demo-"))
        prepare_folder(folder)
        began = time.monotonic()
        with show_progress(console) as show:
            outcome = asyncio.run(run_demo(folder, show))
    except DemoError as error:
        console.print(f"the demonstration failed: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    print_outcome(console, outcome, time.monotonic() - began)
    console.print(
        f"CDRs, one JSON object a line: {folder / 'cdrs.ndjson'}", soft_wrap=True, markup=False
    )
    console.print(f"everything else: {folder / 'dialer.db'} (SQLite)", soft_wrap=True, markup=False)
    if not outcome.complete:
        raise typer.Exit(1)


@contextmanager
def show_progress(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A progress bar, or plain lines where there is no terminal."""
    if not console.is_terminal:
        yield PlainLines(console, time.monotonic)
        return
    with Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("items ended · {task.fields[attempts]} attempts ·"),
        TextColumn("{task.fields[delivered]} deliveries"),
        TimeElapsedColumn(),
        console=console,
    ) as bar:
        task = bar.add_task("dialing", total=None, attempts=0, delivered=0)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                total=progress.items,
                completed=progress.ended,
                attempts=progress.attempts,
                delivered=progress.delivered,
            )

        yield show


class PlainLines:
    """Prints progress now and then, and when everything has ended."""

    def __init__(self, console: Console, monotonic: Callable[[], float]) -> None:
        self._console = console
        self._monotonic = monotonic
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        over = progress.ended == progress.items and not progress.undelivered
        if self._monotonic() < self._next and not over:
            return
        self._next = self._monotonic() + PLAIN_EVERY
        self._console.print(
            f"{progress.ended} of {progress.items} items ended, {progress.attempts} attempts,"
            f" {progress.delivered} deliveries made, {progress.undelivered} waiting",
            highlight=False,
        )


def print_outcome(console: Console, outcome: Outcome, seconds: float) -> None:
    """The table and the sums under it."""
    table = Table(title=f"outcome after {seconds:.1f} s")
    table.add_column("disposition")
    table.add_column("attempts", justify="right")
    table.add_column("items", justify="right")
    for row in outcome.rows:
        table.add_row(row.disposition, str(row.attempts), str(row.items))
    table.add_section()
    table.add_row("total", str(outcome.attempts), str(outcome.items))
    console.print(table)
    for entry in outcome.sums:
        mark = "ok    " if entry.holds else "WRONG "
        console.print(f"{mark}{entry.text}", highlight=False, markup=False)
    console.print(
        f"      {outcome.turned_away} deliveries were turned away at first and came again,"
        f" {outcome.repeated} arrived more than once",
        highlight=False,
    )
