"""Callbacks: one POST to the client for every attempt, one for an item that ends without one, and
those about calls that go on, for clients that asked.

Body and event names: docs/client-api.md. Times have milliseconds
(`dialer.delivery.timestamps`).
"""

from dataclasses import dataclass
from functools import lru_cache
from json import JSONEncoder
from typing import Any, Final
from urllib.parse import urlsplit

from dialer.cdr import Cdr
from dialer.delivery.schedule import Chance
from dialer.delivery.timestamps import format_milliseconds, format_optional
from dialer.delivery.verdict import Answer, Finding, Verdict, describe, judge_failure, judge_pace
from dialer.states import CallbackEvent, ItemEnd, ItemStatus
from dialer.store.contract import Candidate, Client, EndedItem, NewDelivery

KIND: Final = "callback"

EVENTS: Final = {
    "answered": "call_completed",
    "busy": "call_busy",
    "no-answer": "call_no_answer",
    ItemEnd.EXPIRED.value: "call_timeout",
}
OTHER_EVENT: Final = "call_failed"

CLOSINGS: Final = " closings"
"""Closing callbacks stand in a line of their own: a queue that is completed with a million items
waiting keeps nobody's results waiting."""

PACE: Final = 5.0
"""Seconds that an endpoint rests after a 429 without Retry-After."""

GONE: Final = 410

# ASCII only: the same bytes whatever a receiver takes the charset for.
_encode = JSONEncoder(separators=(",", ":")).encode

_CLOSING_REASONS: Final = {
    ItemEnd.EXPIRED: "deadline passed before a further attempt could start",
    ItemEnd.TERMINATED: "ended before a further attempt",
}


_MARKS: Final = {CallbackEvent.STARTED: "started", CallbackEvent.ANSWERED: "answered"}


@dataclass(frozen=True, slots=True)
class Reached:
    """What is known of an attempt when its call starts or is answered. `started_at`: epoch seconds,
    None where its start was not seen by this process."""

    event: CallbackEvent
    candidate: Candidate
    server_code: str
    cdr_id: str
    channel_id: str  # the wire's
    attempt: int
    started_at: float | None


def build_callback(cdr: Cdr, client: Client, now: float) -> NewDelivery | None:
    """The callback of an attempt; None when the client has no callback URL."""
    if not client.callback_url:
        return None
    body = {
        "event_type": EVENTS.get(cdr.disposition, OTHER_EVENT),
        "accountcode": cdr.accountcode,
        "batch_id": cdr.batch_id,
        "call_id": cdr.call_id,
        "phone_number": cdr.number,
        "call_status": (ItemStatus.PROCESSED if cdr.final else ItemStatus.PENDING).value,
        "disposition": cdr.disposition,
        "duration": cdr.duration,
        "start_time": format_milliseconds(cdr.started_at),
        "end_time": format_milliseconds(cdr.ended_at),
        "recording_url": cdr.recording_url,
        "custom_data": _attempt_data(cdr),
        "server_code": cdr.server_code,
        "error_message": cdr.error_message,
        "cdr_id": cdr.cdr_id,
        "channel_id": choose_channel_id(cdr),
        "attempt": cdr.attempt,
        "final": cdr.final,
        "next_attempt_at": format_optional(cdr.next_attempt_at),
    }
    return _post(client, client.callback_url, cdr.cdr_id, body, now)


def build_closing(
    ended: EndedItem, client: Client, server_code: str, now: float
) -> NewDelivery | None:
    """The one callback of an item that ends without a further attempt (expired, terminated): no
    times, no CDR, `attempt` is the number of attempts that were made (0: none)."""
    if not client.callback_url:
        return None
    item = ended.candidate
    action = item.payload.get("action")
    body = {
        "event_type": EVENTS.get(ended.end.value, OTHER_EVENT),
        "accountcode": client.accountcode,
        "batch_id": item.batch_id,
        "call_id": item.call_id,
        "phone_number": item.number,
        "call_status": ItemStatus.TERMINATED.value,
        "disposition": ended.end.value,
        "duration": 0,
        "start_time": None,
        "end_time": None,
        "recording_url": None,
        "custom_data": _untalked_data(item),
        "server_code": server_code,
        "error_message": _CLOSING_REASONS[ended.end],
        "cdr_id": None,
        "channel_id": action.get("ChannelId") if isinstance(action, dict) else None,
        "attempt": item.attempts + item.unplaced,
        "final": True,
        "next_attempt_at": None,
    }
    event_id = f"item-{item.id}"
    return _post(client, client.callback_url, event_id, body, now, CLOSINGS)


def build_progress(reached: Reached, client: Client, now: float) -> NewDelivery | None:
    """A callback about a call that goes on, in the shape of that of its end with what is known so
    far, whatever the client's `callback_shape`; None when the client has no callback URL."""
    if not client.callback_url:
        return None
    item = reached.candidate
    action = item.payload.get("action")
    given = action.get("ChannelId") if isinstance(action, dict) else None
    body = {
        "event_type": reached.event.value,
        "accountcode": client.accountcode,
        "batch_id": item.batch_id,
        "call_id": item.call_id,
        "phone_number": item.number,
        "call_status": ItemStatus.QUEUED.value,
        "disposition": None,
        "duration": 0,
        "start_time": format_optional(reached.started_at),
        "end_time": None,
        "recording_url": None,
        "custom_data": _untalked_data(item),
        "server_code": reached.server_code,
        "error_message": None,
        "cdr_id": reached.cdr_id,
        "channel_id": given or reached.channel_id,
        "attempt": reached.attempt,
        "final": False,
        "next_attempt_at": None,
    }
    event_id = f"{reached.cdr_id}-{_MARKS[reached.event]}"
    return _post(client, client.callback_url, event_id, body, now)


def judge_callback(answer: Answer, tries: int, chance: Chance) -> Verdict:
    """2xx: delivered. 410: the receiver wants no more, of this or any other. 429: paced, not
    counted. All else, redirects too (never followed), is tried again by the schedule: endpoints get
    repaired."""
    status = answer.status
    if status is None:
        return judge_failure(answer, tries, chance)
    if 200 <= status < 300:
        return Verdict(Finding.DELIVERED)
    if status == GONE:
        return Verdict(Finding.DEAD, error=describe(answer), gone=True)
    if status == 429:
        return judge_pace(answer, PACE, chance)
    return judge_failure(answer, tries, chance)


def choose_channel_id(cdr: Cdr) -> str:
    """The ChannelId that outsiders see: the client's own where it gave one, else the wire's. No
    answer tells which of them was on the wire (docs/dialing.md, "Identity")."""
    return cdr.client_channel_id or cdr.channel_id


def show_number(value: object) -> int | str | None:
    """A contact number in its documented form, an integer, unless that would change it."""
    if value is None or isinstance(value, int):
        return value
    text = str(value)
    if len(text) <= 15 and text.isascii() and text.isdigit() and (text == "0" or text[0] != "0"):
        return int(text)
    return text


def name_endpoint(url: str, accountcode: str) -> str:
    """What limits and pauses go by: the origin of a callback URL, and whose it is. Clients may
    share a host, each with a path that works, hangs or asks for pauses on its own."""
    return f"{_find_origin(url)} {accountcode}"


@lru_cache(maxsize=4096)
def _find_origin(url: str) -> str:
    """Scheme, host, port."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return "invalid"
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def _post(
    client: Client,
    url: str,
    event_id: str,
    body: dict[str, Any],
    now: float,
    line: str = "",
) -> NewDelivery:
    return NewDelivery(
        kind=KIND,
        client_id=client.id,
        endpoint=name_endpoint(url, client.accountcode) + line,
        url=url,
        method="POST",
        event_id=event_id,
        body=_encode(body),
        due_at=now,
    )


def _attempt_data(cdr: Cdr) -> dict[str, Any]:
    return {
        "billsec": cdr.billsec,
        "ring_time": cdr.ring_seconds,
        "queue_id": cdr.queue_id,
        "project": cdr.project,
        "contact_number": show_number(cdr.contact_number),
        "cause": cdr.cause,
        "cause_text": cdr.cause_text,
        "sip_code": cdr.sip_code,
        "leg_b": _show_leg_b(cdr),
        "connected": cdr.connected,
        "end_estimated": cdr.end_estimated,
        "recording_path": cdr.recording_path,
        "sip_call_id": cdr.sip_call_id,
    }


def _untalked_data(item: Candidate) -> dict[str, Any]:
    return {
        "billsec": 0,
        "ring_time": 0,
        "queue_id": item.queue_id,
        "project": item.payload.get("project"),
        "contact_number": show_number(item.payload.get("contact_number")),
        "cause": None,
        "cause_text": None,
        "sip_code": None,
        "leg_b": None,
        "connected": False,
        "end_estimated": False,
        "recording_path": None,
        "sip_call_id": None,
    }


def _show_leg_b(cdr: Cdr) -> dict[str, Any] | None:
    leg = cdr.leg_b
    if leg is None:
        return None
    return {
        "channel": leg.channel,
        "dial_status": leg.dial_status,
        "cause": leg.cause,
        "sip_code": leg.sip_code,
        "answered_at": format_optional(leg.answered_at),
        "ended_at": format_optional(leg.ended_at),
    }
