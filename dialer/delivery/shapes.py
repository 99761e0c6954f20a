"""Callbacks in the shape of another API: the record that a client would read there, pushed.

The same record, key by key, as the read API of that shape gives for the call; an item that ended
without an attempt has one with neither ids nor times (docs/cdr-mapping.md).
"""

from collections.abc import Callable, Mapping
from json import JSONEncoder
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from dialer.cdr import Cdr
from dialer.delivery.callback import CLOSINGS, KIND, name_endpoint
from dialer.dialects import Closing, Shape, Source, View, ozonetel, pbx
from dialer.dialects.v2_default import write_default
from dialer.dialects.v2_flex import write_flex
from dialer.store.contract import Client, EndedItem, NewDelivery, NumberedDelivery

_Write = Callable[[Source, View], dict[str, Any]]
_Number = Callable[[int | None], dict[str, Any]]

_encode: Final = JSONEncoder(separators=(",", ":")).encode

_WRITERS: Final[Mapping[Shape, _Write]] = MappingProxyType(
    {
        Shape.DEFAULT: write_default,
        Shape.FLEX: write_flex,
        Shape.OZONETEL: ozonetel.write_report_row,
        Shape.PBX: pbx.write_pbx,
    }
)

_IDS: Final[Mapping[Shape, _Number]] = MappingProxyType(
    {Shape.OZONETEL: ozonetel.write_ids, Shape.PBX: pbx.write_ids}
)
"""Shapes whose records carry the id of the CDR's row."""


def build_shaped(cdr: Cdr, client: Client, now: float) -> NewDelivery | None:
    """The callback of an attempt in the client's shape, which is not native; None when the client
    has no callback URL."""
    if not client.callback_url:
        return None
    record = _write(cdr, client, quick=cdr.batch_id is None)
    number = _IDS.get(client.callback_shape)
    endpoint = name_endpoint(client.callback_url, client.accountcode)
    if number is None:
        return NewDelivery(
            **_address(client, cdr.cdr_id, now), endpoint=endpoint, body=_encode(record)
        )
    return NumberedDelivery(
        **_address(client, cdr.cdr_id, now),
        endpoint=endpoint,
        body="",
        finish=lambda row_id: _encode(record | number(row_id)),
    )


def build_shaped_closing(ended: EndedItem, now: float) -> NewDelivery | None:
    """The one callback of an item that ended without a further attempt, in its client's shape."""
    client, item = ended.client, ended.candidate
    if not client.callback_url:
        return None
    record = _write(_close(ended), client, quick=item.quick)
    endpoint = name_endpoint(client.callback_url, client.accountcode) + CLOSINGS
    return NewDelivery(
        **_address(client, f"item-{item.id}", now), endpoint=endpoint, body=_encode(record)
    )


def _write(source: Source, client: Client, *, quick: bool) -> dict[str, Any]:
    view = View(ZoneInfo(client.timezone), row_id=None, quick=quick)
    return _WRITERS[client.callback_shape](source, view)


def _address(client: Client, event_id: str, now: float) -> dict[str, Any]:
    return {
        "kind": KIND,
        "client_id": client.id,
        "url": client.callback_url,
        "method": "POST",
        "event_id": event_id,
        "due_at": now,
    }


def _close(ended: EndedItem) -> Closing:
    item, payload = ended.candidate, ended.candidate.payload
    action = payload.get("action") or {}
    contact = payload.get("contact_number")
    return Closing(
        call_id=item.call_id,
        channel_id=action.get("ChannelId"),
        accountcode=ended.client.accountcode,
        number=item.number,
        caller_id=item.caller_id,
        disposition=ended.end.value,
        application=action.get("Application"),
        data=action.get("Data"),
        project=payload.get("project"),
        contact_number=None if contact is None else str(contact),
        customer_name=payload.get("customer_name"),
    )
