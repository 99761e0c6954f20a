"""`dialer load`: posts a file of calls in batches of 1000."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dialer.errors import SettingsError
from dialer.loading import (
    LARGEST_ID,
    Batch,
    Entry,
    LoadError,
    Stored,
    Wait,
    build_body,
    check_batch,
    choose_first_id,
    cut_batches,
    digest_file,
    read_answer,
    read_csv,
    read_json,
)
from dialer.settings import load_settings

PATH: Final = "/calling/api/queues/insertdataincallqueue/"
TIMEOUT: Final = 60.0
"""Seconds for one batch; a server under load answers in well under one."""

TRIES: Final = 10
"""Tries of one batch while the server cannot be reached or fails; a 429 or 503 does not count."""

LONGEST_PAUSE: Final = 15.0

_URL_HELP: Final = "Where the API is. Default: where DIALER_HTTP_HOST and DIALER_HTTP_PORT say."


def load(
    file: Annotated[Path, typer.Argument(help="A .json or .csv file.", show_default=False)],
    url: Annotated[str | None, typer.Option(envvar="DIALER_URL", help=_URL_HELP)] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="DIALER_API_KEY",
            help="The client's API key. Better in the environment than in the process list.",
            show_default=False,
        ),
    ] = None,
    batch_id: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LARGEST_ID,
            help="Id of the first batch; the others follow.",
            show_default=False,
        ),
    ] = None,
    queue_id: Annotated[
        int | None, typer.Option(help="Queue to add to; none makes a new one.", show_default=False)
    ] = None,
) -> None:
    """Post a file of calls to the API, in batches of 1000, all into one queue.

    JSON: a list of QueueItems, or an object {"data": [...], "dids": [...]}.
    CSV: a header line with the columns asterisk_server_code and Channel, and
    any other fields of a QueueItem (caller_id, retry, call_timeout, project,
    contact_number, deadline …) or of its action (Application, Data, Timeout,
    CallerID, Variable, ActionID, ChannelId …). An empty cell: no such field.

    The whole file is checked before anything is sent. Batch ids are made from
    the file's digest (under 2^53), so after an interruption the same command
    goes on where it stopped: batches that are there already are recognized
    and not inserted again. For the same reason the same file is loaded only
    once; give --batch-id to load it another time.

    Example: DIALER_API_KEY=… dialer load calls.csv --url http://127.0.0.1:8080
    """
    if not api_key:
        raise SettingsError("give the client's API key in DIALER_API_KEY or with --api-key")
    console = Console(stderr=True, soft_wrap=True)
    try:
        with httpx.Client(
            base_url=trim_base(url or find_own_url()),
            headers={"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"},
            timeout=TIMEOUT,
        ) as client:
            load_file(file, client, batch_id, queue_id, console)
    except LoadError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("interrupted: the same command goes on where it stopped")
        raise typer.Exit(130) from None


def find_own_url() -> str:
    """Where `dialer run` with the same settings listens. Raises `SettingsError`."""
    settings = load_settings()
    host = settings.http_host
    if host in ("0.0.0.0", "::"):  # noqa: S104 (listened on, not connected to)
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


def trim_base(url: str) -> str:
    """The server's base URL, also from a URL that has the API's path already. Raises
    `SettingsError`."""
    if not url.startswith(("http://", "https://")):
        raise SettingsError("--url must begin with http:// or https://")
    base = url.rstrip("/")
    for path in ("/calling/api/v1", "/calling/api"):
        base = base.removesuffix(path)
    return base


def load_file(
    file: Path,
    client: httpx.Client,
    first_id: int | None,
    queue_id: int | None,
    console: Console,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Check the file, post it, print what was done, and return the queue's id. Raises `LoadError`
    and `SettingsError`."""
    if first_id is None:
        first_id = _digest(file)
    with _open(file) as (dids, entries):
        total = 0
        for batch in cut_batches(entries, first_id):
            check_batch(batch)
            total += len(batch.entries)
    if not total:
        raise LoadError(f"{file.name} holds no calls")
    inserted = present = 0
    with _open(file) as (dids, entries), _show_progress(console) as progress:
        bar = progress.add_task(file.name, total=total)
        for batch in cut_batches(entries, first_id):
            try:
                stored = post_batch(client, batch, queue_id, dids, console, pause)
            except LoadError as error:
                raise LoadError(f"{error}\n{_advise(inserted + present, first_id)}") from None
            queue_id = stored.queue_id
            if stored.replayed:
                present += stored.count
            else:
                inserted += stored.count
            progress.advance(bar, len(batch.entries))
    assert queue_id is not None
    typer.echo(
        f"queue {queue_id}: {inserted} calls inserted, {present} were there already"
        f" (batches from {first_id})"
    )
    return queue_id


def post_batch(
    client: httpx.Client,
    batch: Batch,
    queue_id: int | None,
    dids: tuple[str, ...],
    console: Console,
    pause: Callable[[float], None] = time.sleep,
) -> Stored:
    """Post until it is stored. Raises `LoadError` when it is refused, or the server stays away."""
    body = build_body(batch, queue_id, dids)
    failures = 0
    while True:
        failure: str | None = None
        seconds = min(2.0**failures, LONGEST_PAUSE)
        try:
            response = client.post(PATH, content=body)
        except httpx.TransportError as error:
            failure = f"{client.base_url} cannot be reached: {error or type(error).__name__}"
        else:
            answer = _read(batch, response)
            if isinstance(answer, Stored):
                return answer
            if response.status_code in (429, 503):
                seconds = answer.seconds
                console.print(f"{answer.why}: going on in {seconds:g} s", highlight=False)
            else:
                failure = f"the server failed: {answer.why}"
        if failure is not None:
            failures += 1
            if failures >= TRIES:
                raise LoadError(failure)
            console.print(f"{failure}: trying again in {seconds:g} s", highlight=False)
        pause(seconds)


def _read(batch: Batch, response: httpx.Response) -> Stored | Wait:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return read_answer(batch, response.status_code, headers, response.content, time.time())


def _advise(stored: int, first_id: int) -> str:
    if not stored:
        return "nothing was stored"
    return (
        f"the {stored} calls before it are stored: the same command goes on from there, or after a"
        f" correction in the file one with --batch-id {first_id}"
    )


def _digest(file: Path) -> int:
    try:
        with file.open("rb") as handle:
            return choose_first_id(digest_file(handle))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or error}") from None


@contextmanager
def _open(file: Path) -> Iterator[tuple[tuple[str, ...], Iterator[Entry]]]:
    """The dids and entries of a file, by its suffix."""
    suffix = file.suffix.lower()
    if suffix not in (".json", ".csv"):
        raise SettingsError(f"{file}: must be a .json or .csv file")
    try:
        handle = file.open(encoding="utf-8", newline="" if suffix == ".csv" else None)
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or error}") from None
    with handle:
        yield ((), read_csv(handle)) if suffix == ".csv" else read_json(handle)


def _show_progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not sys.stderr.isatty(),
    )
