"""Loading a file of calls over HTTP: reading it, cutting it into batches, judging the answers.

Pure: text in, values out; `dialer.cli.load` opens the file and posts.

A load can be repeated: batch ids are made from the file's digest and the batch's place in it, so
an interrupted load that is started again re-posts what was stored as the very same batches, which
the API answers without inserting anything.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, BinaryIO, Final, TextIO

from dialer.bodies import MAX_BATCH, Action, QueueItem, parse_batch
from dialer.delivery.schedule import parse_retry_after
from dialer.errors import DialerError, Refused

LARGEST_ID: Final = 2**53
"""Batch ids stay under this: the integers that every JSON reader keeps exact."""

LARGEST_LOAD: Final = 2**20
"""Batches of one load: room above the first id."""

DEFAULT_WAIT: Final = 1.0
"""Seconds to wait after a 429 or 503 that does not say how long."""

SHOWN_ERRORS: Final = 20
CHUNK: Final = 64 * 1024
LARGEST_ITEM: Final = 1024 * 1024
"""Characters of one JSON item; what is not complete by then is taken for broken."""

ITEM_COLUMNS: Final = tuple(name for name in QueueItem.__annotations__ if name != "action")
ACTION_COLUMNS: Final = tuple(Action.__annotations__)
_COLUMNS: Final = {name.casefold(): name for name in (*ITEM_COLUMNS, *ACTION_COLUMNS)}
_REQUIRED: Final = ("asterisk_server_code", "Channel")


class LoadError(DialerError):
    """The file, or the server's answer to it, ends the load: a few lines for the user."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One QueueItem as read, and where it stands: `line 17` or `item 3`."""

    place: str
    item: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Up to 1000 entries with their fixed id."""

    batch_id: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """The batch is on the server's disk. `replayed`: it was there before."""

    queue_id: int
    count: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """The server wants the same again after `seconds`."""

    seconds: float
    why: str


def digest_file(handle: BinaryIO) -> bytes:
    """SHA-256 of the whole file, read in pieces."""
    digest = sha256()
    while chunk := handle.read(CHUNK):
        digest.update(chunk)
    return digest.digest()


def choose_first_id(digest: bytes) -> int:
    """The id of a file's first batch, 1 … 2^53 − 2^20; the others follow it."""
    return int.from_bytes(digest[:8], "big") % (LARGEST_ID - LARGEST_LOAD) + 1


def cut_batches(entries: Iterable[Entry], first_id: int) -> Iterator[Batch]:
    """Batches of 1000 with growing ids; the last one may be smaller."""
    left = iter(entries)
    batch_id = first_id
    while part := tuple(islice(left, MAX_BATCH)):
        yield Batch(batch_id, part)
        batch_id += 1


def build_body(batch: Batch, queue_id: int | None, dids: tuple[str, ...]) -> bytes:
    """The body of insertdataincallqueue."""
    body: dict[str, Any] = {"queue_id": queue_id, "batch_id": batch.batch_id}
    if dids:
        body["dids"] = dids
    body["data"] = [entry.item for entry in batch.entries]
    return json.dumps(body).encode()


def check_batch(batch: Batch) -> None:
    """Raise `LoadError`, naming place and field, where the API would refuse the types. What
    depends on servers and rights only the API can say."""
    try:
        errors = parse_batch(build_body(batch, None, ())).errors
    except Refused as refused:
        errors = refused.errors
    if errors:
        raise LoadError(_list_errors(batch, [(e.index, e.field, e.message) for e in errors]))


def read_csv(handle: Iterable[str]) -> Iterator[Entry]:
    """Items of a CSV with a header line: columns of QueueItem and of its action, by name, in any
    case. An empty cell is an absent field; `Action` is Originate where it is not given."""
    reader = csv.reader(handle, strict=True)
    line = 1
    try:
        names = _read_header(next(reader, []))
        line = reader.line_num + 1
        for row in reader:
            if row:
                yield Entry(f"line {line}", _read_row(names, row, line))
            line = reader.line_num + 1
    except csv.Error as error:
        raise LoadError(f"line {line}: {error}") from None
    except UnicodeDecodeError:
        raise LoadError(f"line {line}: is not UTF-8 text") from None


def read_json(handle: TextIO) -> tuple[tuple[str, ...], Iterator[Entry]]:
    """The dids and items of a JSON file: a list of QueueItems, which is read in pieces, or an
    object `{"data": [...], "dids": [...]}`, which is read as a whole."""
    try:
        start = handle.read(CHUNK)
        text = start.removeprefix("\ufeff").lstrip()
        if text.startswith("["):
            return (), _number(_iterate_list(text[1:], handle))
        whole = json.loads(text + handle.read())
    except UnicodeDecodeError:
        raise LoadError("the file is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise LoadError(f"line {error.lineno}: {error.msg}") from None
    if isinstance(whole, list):  # after more white space than a piece holds
        whole = {"data": whole}
    data = whole.get("data") if isinstance(whole, dict) else None
    if not isinstance(data, list):
        raise LoadError('the file must hold a list of items, or an object with a list in "data"')
    dids = whole.get("dids") or []
    if not isinstance(dids, list):
        raise LoadError("dids: must be a list")
    return tuple(str(did) for did in dids), _number(data)


def read_answer(
    batch: Batch, status: int, headers: dict[str, str], body: bytes, now: float
) -> Stored | Wait:
    """What the API's answer to a batch means. `headers` has lower-case names. Raises `LoadError`
    for a refusal."""
    answer = _read_object(body)
    if status in (429, 503):
        wait = parse_retry_after(headers.get("retry-after"), now)
        why = str(answer.get("message") or f"HTTP {status}")
        return Wait(DEFAULT_WAIT if wait is None else wait, why)
    if status >= 500:
        return Wait(DEFAULT_WAIT, f"HTTP {status}")
    data = answer.get("data")
    if status != 200 or not isinstance(data, dict):
        raise LoadError(_explain_refusal(batch, status, answer))
    replayed = headers.get("idempotent-replayed", "").lower() == "true"
    return Stored(int(data["queue_id"]), int(data["inserted_count"]), replayed)


def _read_header(cells: list[str]) -> list[str]:
    names = []
    for cell in cells:
        name = _COLUMNS.get(cell.strip().removeprefix("\ufeff").casefold())
        if name is None:
            raise LoadError(f"line 1: {cell.strip()!r} is no field of a queue item or its action")
        if name in names:
            raise LoadError(f"line 1: the column {name} is there twice")
        names.append(name)
    for name in _REQUIRED:
        if name not in names:
            raise LoadError(f"line 1: the column {name} is missing")
    return names


def _read_row(names: list[str], row: list[str], line: int) -> dict[str, Any]:
    if len(row) != len(names):
        raise LoadError(f"line {line}: has {len(row)} cells where the header has {len(names)}")
    cells = {name: cell for name, cell in zip(names, row, strict=True) if cell != ""}
    for name in _REQUIRED:
        if name not in cells:
            raise LoadError(f"line {line}: {name}: is empty")
    item: dict[str, Any] = {name: cells[name] for name in ITEM_COLUMNS if name in cells}
    action = {name: cells[name] for name in ACTION_COLUMNS if name in cells}
    item["action"] = {"Action": "Originate", **action}
    return item


def _number(items: Iterable[Any]) -> Iterator[Entry]:
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise LoadError(f"item {number}: must be a JSON object")
        yield Entry(f"item {number}", item)


def _iterate_list(text: str, handle: TextIO) -> Iterator[Any]:
    """The elements of a JSON list whose `[` was read; `text` is what came after it so far. Reads
    on only when an element is not complete."""
    decoder = json.JSONDecoder()
    count = 0
    closed = False
    while not closed:
        text, value, found = _decode_next(decoder, text, first=count == 0)
        if found:
            count += 1
            yield value
            continue
        closed = text.startswith("]")
        if closed:
            break
        more = _read_text(handle, count)
        if not more or len(text) > LARGEST_ITEM:
            raise LoadError(f"item {count + 1}: is not valid JSON, or the file ends within it")
        text += more
    if text[1:].strip() or _read_text(handle, count).strip():
        raise LoadError("there is something after the end of the list")


def _decode_next(decoder: json.JSONDecoder, text: str, *, first: bool) -> tuple[str, Any, bool]:
    rest = text.lstrip()
    if rest.startswith("]"):
        return rest, None, False
    if not first:
        if not rest.startswith(","):
            return rest, None, False
        after = rest[1:].lstrip()
    else:
        after = rest
    try:
        value, end = decoder.raw_decode(after)
    except json.JSONDecodeError:
        return rest, None, False
    if not isinstance(value, dict | list) and end == len(after):
        return rest, None, False  # a number may go on in the next piece
    return after[end:], value, True


def _read_text(handle: TextIO, count: int) -> str:
    try:
        return handle.read(CHUNK)
    except UnicodeDecodeError:
        raise LoadError(f"item {count + 1}: is not UTF-8 text") from None


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _explain_refusal(batch: Batch, status: int, answer: dict[str, Any]) -> str:
    errors = answer.get("errors")
    if isinstance(errors, list) and errors:
        found = [e for e in errors if isinstance(e, dict)]
        return _list_errors(
            batch, [(e.get("index"), str(e.get("field")), str(e.get("message"))) for e in found]
        )
    words = [str(answer[key]) for key in ("message", "details") if answer.get(key)]
    return ": ".join(words) or f"HTTP {status}, and not by this API"


def _list_errors(batch: Batch, errors: list[tuple[int | None, str, str]]) -> str:
    lines = []
    for index, field, message in errors[:SHOWN_ERRORS]:
        known = isinstance(index, int) and 0 <= index < len(batch.entries)
        place = batch.entries[index or 0].place + ": " if known else ""
        lines.append(f"{place}{field}: {message}")
    if len(errors) > SHOWN_ERRORS:
        lines.append(f"and {len(errors) - SHOWN_ERRORS} more")
    return "\n".join(lines)
