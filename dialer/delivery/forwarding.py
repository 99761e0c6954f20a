"""CDRs of other telephony systems on their way to SGAPI: the same line, tries and following as the
CDRs of our own calls (docs/gateway.md)."""

import logging
from collections.abc import Awaitable, Callable
from json import JSONEncoder
from typing import Final, Protocol

from dialer.clock import Clock
from dialer.delivery.sgapi import ENDPOINT, KIND, SgapiTarget, choose_word, locate_entity
from dialer.errors import StoreUnavailable
from dialer.store.contract import ForeignCdr, Forward, NewDelivery

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
"""CDRs that one transaction forwards: some milliseconds, for which other writes wait."""

STORE_PAUSE: Final = 5.0
"""Seconds before the store is asked again after it failed."""

_encode = JSONEncoder(separators=(",", ":")).encode


def build_forward(cdr: ForeignCdr, uuid: str, target: SgapiTarget, now: float) -> NewDelivery:
    """The PUT of a CDR under `uuid`. It goes to the entity that it names, else to the operator's.
    Where SGAPI knows another CDR by its own uuid, that stands in custom_data as `source_uuid`."""
    content = cdr.content | {"disposition": choose_word(cdr.content["disposition"], target.words)}
    if uuid != cdr.uuid:
        content["custom_data"] = content.get("custom_data", {}) | {"source_uuid": cdr.uuid}
    return NewDelivery(
        kind=KIND,
        client_id=cdr.client_id,
        endpoint=ENDPOINT,
        url=target.address if cdr.entity is None else locate_entity(target.url, cdr.entity),
        method="PUT",
        event_id=uuid,
        body=_encode({"uuid": uuid, **content}),
        due_at=now,
    )


def forward_to(target: SgapiTarget, now: float) -> Forward:
    """`build_forward` as the store calls it."""
    return lambda cdr, uuid: build_forward(cdr, uuid, target, now)


class ForeignStore(Protocol):
    """What is needed of `dialer.store.contract.Store`."""

    async def forward_foreign_cdrs(self, forward: Forward, now: float, limit: int) -> int: ...


async def forward_left(
    store: ForeignStore,
    target: SgapiTarget,
    clock: Clock,
    wake: Callable[[], None],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    """Send what came while there was no SGAPI. `wake` tells the deliverer."""
    count = AT_ONCE
    while count == AT_ONCE:
        now = clock.now()
        try:
            count = await store.forward_foreign_cdrs(forward_to(target, now), now, AT_ONCE)
        except StoreUnavailable as error:
            log.error("CDRs that wait for SGAPI cannot be read", extra={"error": str(error)})
            await pause(STORE_PAUSE)
        else:
            if count:
                wake()
