"""CDRs that wait for SGAPI: those of other telephony systems, which take the same line, tries and
following as the CDRs of our own calls, and all that came while there was none (docs/gateway.md)."""

import logging
from collections.abc import Awaitable, Callable
from json import JSONEncoder
from typing import Final, Protocol

from dialer.cdr import Cdr
from dialer.clock import Clock
from dialer.delivery.sgapi import (
    ENDPOINT,
    KIND,
    SgapiTarget,
    build_sgapi,
    choose_word,
    locate_entity,
)
from dialer.errors import StoreUnavailable
from dialer.store.contract import ForeignCdr, Forward, Forwards, NewDelivery

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


def forward_all_to(target: SgapiTarget, now: float) -> Forwards:
    """Makes the deliveries of all that waits for `target`."""

    def build_own(cdr: Cdr) -> NewDelivery:
        made = build_sgapi(cdr, target, now)
        assert made is not None
        return made

    return Forwards(forward_to(target, now), build_own)


class UnsentStore(Protocol):
    """What is needed of `dialer.store.contract.Store`."""

    async def forward_unsent(self, forwards: Forwards | None, now: float, limit: int) -> int: ...


async def forward_left(
    store: UnsentStore,
    target: SgapiTarget,
    clock: Clock,
    wake: Callable[[], None],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    """Send what came, or ended, while there was no SGAPI. `wake` tells the deliverer."""
    left = True
    while left:
        now = clock.now()
        try:
            left = await store.forward_unsent(forward_all_to(target, now), now, AT_ONCE) > 0
        except StoreUnavailable as error:
            log.error("CDRs that wait for SGAPI cannot be read", extra={"error": str(error)})
            await pause(STORE_PAUSE)
        else:
            if left:
                wake()
