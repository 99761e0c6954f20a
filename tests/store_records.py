"""Records and files that the tests of the store (and of what stands on it) are made of."""

import json
import tempfile
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from dialer.cdr import Cdr
from dialer.store.contract import (
    Candidate,
    Client,
    EndedItem,
    NewBatch,
    NewDelivery,
    NewItem,
    Reservation,
    Server,
    Settlement,
)
from dialer.store.engines import sqlite_url
from dialer.store.migrations import upgrade

NOW = 1_750_000_000.25
SERVER = Server(0, "pbx1", "127.0.0.1", 5038, "dialer", secret_env="PBX1_SECRET")
CLIENT = Client(0, "Acme", "acme", "acme-user", callback_url="https://acme.example/cdr")

_numbers = count(1)


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        upgrade(sqlite_url(url_of(path)))
        return path.read_bytes()


def make_store_file(path: Path) -> str:
    """A migrated, empty database at `path`; its URL. Quicker than migrating each."""
    path.write_bytes(_migrated())
    return url_of(path)


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def item(**changes: Any) -> NewItem:
    number = next(_numbers)
    made = NewItem(
        1, f"call-{number}", f"98{number:08}", None, json.dumps({"project": "p", "n": number})
    )
    return made._replace(**changes)


def batch(*items: NewItem, **changes: Any) -> NewBatch:
    made = NewBatch(1, next(_numbers), "digest", None, "p 2025-06-15", (), items, NOW)
    return replace(made, **changes)


def reservation(candidate: Candidate, now: float = NOW, **changes: Any) -> Reservation:
    number = next(_numbers)
    made = Reservation(
        candidate.id,
        candidate.client_id,
        candidate.queue_id,
        candidate.server_id,
        candidate.attempts + candidate.unplaced + 1,
        f"channel-{number}",
        f"action-{number}",
        f"cdr-{number}",
        now,
        0,  # of a server that nobody owned yet
    )
    return replace(made, **changes)


def cdr(attempt: Reservation, disposition: str = "answered", **changes: Any) -> Cdr:
    made = Cdr(
        cdr_id=attempt.cdr_id,
        call_id="call",
        channel_id=attempt.channel_id,
        client_id=attempt.client_id,
        accountcode="acme",
        queue_id=attempt.queue_id,
        item_id=attempt.item_id,
        batch_id=1,
        server_code="pbx1",
        attempt=attempt.number,
        final=True,
        next_attempt_at=None,
        number="9800000001",
        caller_id=None,
        disposition=disposition,
        started_at=attempt.now + 0.1,
        ringing_at=attempt.now + 0.2,
        answered_at=attempt.now + 1.123456,
        ended_at=attempt.now + 3.5,
        end_estimated=False,
        duration=3,
        billsec=2,
        ring_seconds=1,
        connected=disposition == "answered",
        cause=16,
        cause_text="Normal Clearing",
        sip_code=200,
        reason=4,
        dial_status="ANSWER",
        leg_b=None,
        error_message=None,
    )
    return replace(made, **changes)


def settlement(
    attempt: Reservation,
    disposition: str = "answered",
    *,
    next_attempt_at: float | None = None,
    **changes: Any,
) -> Settlement:
    """Final unless there is a next attempt."""
    record = cdr(
        attempt, disposition, final=next_attempt_at is None, next_attempt_at=next_attempt_at
    )
    made = Settlement(
        attempt.channel_id,
        attempt.item_id,
        attempt.queue_id,
        record,
        next_attempt_at is None,
        next_attempt_at,
        False,
        (),
        attempt.now + 4,
        attempt.fence,
    )
    return replace(made, **changes)


def delivery(event_id: str = "event", **changes: Any) -> NewDelivery:
    made = NewDelivery(
        "callback", 1, "https://acme.example", "https://acme.example/cdr", "POST", event_id,
        '{"name":"Zoë"}', NOW,
    )  # fmt: skip
    return replace(made, **changes)


def close(ended: EndedItem) -> tuple[NewDelivery, ...]:
    """One closing callback for each."""
    return (delivery(f"item-{ended.candidate.id}", body=ended.end.value),)
