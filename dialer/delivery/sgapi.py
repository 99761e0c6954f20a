"""SGAPI (the Disposition Gateway): every CDR as `PUT {SGAPI_URL}/cdrtosgapi[/{entity}]`.

Fields and answers: docs/client-api.md, "Disposition Gateway".
Times have whole seconds (`dialer.delivery.timestamps`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from json import JSONEncoder
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from dialer.cdr import Cdr
from dialer.delivery.callback import choose_channel_id, show_number
from dialer.delivery.following import HOME, PACE, PROBE, judge_accepted
from dialer.delivery.schedule import Chance
from dialer.delivery.timestamps import format_seconds
from dialer.delivery.verdict import Answer, Finding, Verdict, describe, judge_failure, judge_pace
from dialer.store.contract import NewDelivery, Task

KIND: Final = "sgapi"
ENDPOINT: Final = HOME

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "answered": "ANSWERED",
        "busy": "BUSY",
        "no-answer": "NO ANSWER",
        # We hung up before anyone answered: nothing was wrong with the number or the network.
        "cancel": "NO ANSWER",
        "congestion": "CONGESTION",
        # Never rang, or never can: telling an agent desk "no answer" would be untrue.
        "not-available": "FAILED",
        "invalid": "FAILED",
        "failed": "FAILED",
        "unknown": "FAILED",
    }
)
"""Our dispositions in SGAPI's five words, in the same split as the PBX APIs use.
Our own word stands in custom_data."""

OTHER_WORD: Final = "FAILED"

_PATH: Final = "/cdrtosgapi"
_OWN_ENTITY: Final = "#own-entity"

_encode = JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class SgapiTarget:
    """Where CDRs go. `words` beats `WORDS` for the dispositions that it names."""

    url: str
    entity: str | None = None
    words: Mapping[str, str] = field(default_factory=lambda: WORDS)

    @property
    def address(self) -> str:
        base = self.url.rstrip("/") + _PATH
        return f"{base}/{quote(self.entity, safe='')}" if self.entity else base


def build_sgapi(cdr: Cdr, target: SgapiTarget | None, now: float) -> NewDelivery | None:
    """The PUT of an attempt's CDR; None when there is no gateway."""
    if target is None:
        return None
    body: dict[str, Any] = {
        "uuid": cdr.cdr_id,
        "caller_id": extract_number(cdr.caller_id),
        "called_number": cdr.number,
        "start_time": format_seconds(cdr.started_at),
        # Whole seconds that agree: a gateway may check that the end is start and duration.
        "end_time": format_seconds(int(cdr.started_at) + cdr.duration),
        "duration": cdr.duration,
        "disposition": choose_word(cdr.disposition, target.words),
        "direction": "outbound",
        "queue_id": str(cdr.queue_id),
    }
    if cdr.recording_url is not None:  # an optional string: absent, not null
        body["recording_url"] = cdr.recording_url
    body["custom_data"] = _custom_data(cdr)
    return NewDelivery(
        kind=KIND,
        client_id=cdr.client_id,
        endpoint=ENDPOINT,
        url=target.address,
        method="PUT",
        event_id=cdr.cdr_id,
        body=_encode(body),
        due_at=now,
    )


def locate_entity(base: str, entity: str) -> str:
    """Where a CDR is put that names an entity of its own. The fragment, which is never sent, says
    that it does."""
    return f"{base.rstrip('/')}{_PATH}/{quote(entity, safe='')}{_OWN_ENTITY}"


def locate(stored: str, address: str | None) -> str:
    """Where a CDR goes now: the operator's `address`, whatever it was when the CDR was stored; one
    with an entity of its own keeps that."""
    url, mark, _ = stored.partition(_OWN_ENTITY)
    if address is None:
        return url
    if not mark:
        return address
    return f"{address.rpartition(_PATH)[0]}{_PATH}/{url.rpartition('/')[2]}"


def judge_sgapi(
    answer: Answer, tries: int, chance: Chance, now: float, task: Task | None = None
) -> Verdict:
    """200 and 409 (DUPLICATE_CDR: an earlier try arrived): accepted, and followed
    (`dialer.delivery.following`; `task` is what was known before). 429: paced, not counted.
    401, 403: our credentials are refused, the target stops and is probed, not counted. 400, 422:
    the same body would be refused again. All else is tried again by the schedule."""
    status = answer.status
    if status is None:
        return judge_failure(answer, tries, chance)
    if 200 <= status < 300 or status == 409:
        return judge_accepted(answer, task, now)
    if status in (400, 422):
        return Verdict(Finding.DEAD, error=describe(answer))
    if status == 429:
        return judge_pace(answer, PACE, chance)
    if status in (401, 403):
        return Verdict(Finding.STOPPED, delay=PROBE, hold=PROBE, error=describe(answer))
    return judge_failure(answer, tries, chance)


def choose_word(disposition: str, words: Mapping[str, str] = WORDS) -> str:
    """SGAPI's word for one of our dispositions."""
    return words.get(disposition) or WORDS.get(disposition, OTHER_WORD)


def extract_number(caller_id: str | None) -> str:
    """The number of a caller ID: `Your Company <1001>` → `1001`; '' when there is none, for the
    field is required."""
    if not caller_id:
        return ""
    _, bracket, rest = caller_id.rpartition("<")
    return rest.rstrip("> ").strip() if bracket else rest.strip()


def _custom_data(cdr: Cdr) -> dict[str, Any]:
    return {
        "call_id": cdr.call_id,
        "channel_id": choose_channel_id(cdr),
        "batch_id": cdr.batch_id,
        "attempt": cdr.attempt,
        "final": cdr.final,
        "project": cdr.project,
        "disposition": cdr.disposition,
        "accountcode": cdr.accountcode,
        "server_code": cdr.server_code,
        "contact_number": show_number(cdr.contact_number),
        "billsec": cdr.billsec,
        "ring_time": cdr.ring_seconds,
        "cause": cdr.cause,
        "sip_code": cdr.sip_code,
        "connected": cdr.connected,
        "recording_path": cdr.recording_path,
        "sip_call_id": cdr.sip_call_id,
    }
