"""Who is told of an ended attempt or item: the outbox rows, made here, sent by the deliverer."""

from collections.abc import Callable, Sequence

from dialer.cdr import Cdr
from dialer.delivery.callback import Reached, build_callback, build_closing, build_progress
from dialer.delivery.sgapi import SgapiTarget, build_sgapi
from dialer.delivery.shapes import build_shaped, build_shaped_closing
from dialer.dialects import Shape
from dialer.recent_ends import RecentEnds
from dialer.store.contract import Client, Delivery, EndedItem, NewDelivery


class Reporter:
    """Makes outbox rows for the transaction that ends something, and passes on what was stored.

    `offer` hands stored rows to the deliverer; `ends` counts, for operators, how calls ended.
    """

    def __init__(
        self, sgapi: SgapiTarget | None, offer: Callable[[Sequence[Delivery]], None]
    ) -> None:
        self._sgapi = sgapi
        self.ends = RecentEnds()
        self.offer = offer

    def deliveries_of(self, cdr: Cdr, client: Client, now: float) -> tuple[NewDelivery, ...]:
        """The callback and the SGAPI CDR of an attempt that ended, as far as they are wanted."""
        self.ends.note(cdr, now)
        build = build_callback if client.callback_shape is Shape.NATIVE else build_shaped
        rows = (build(cdr, client, now), build_sgapi(cdr, self._sgapi, now))
        return tuple(row for row in rows if row is not None)

    def progress_of(self, reached: Reached, client: Client, now: float) -> NewDelivery | None:
        """The callback about a call that goes on, where the client asked for that event."""
        asked = reached.event in client.callback_events
        return build_progress(reached, client, now) if asked else None

    def closing_of(self, ended: EndedItem, now: float) -> tuple[NewDelivery, ...]:
        """The closing callback of an item that ended without a further attempt."""
        if ended.client.callback_shape is Shape.NATIVE:
            row = build_closing(ended, ended.client, ended.server_code, now)
        else:
            row = build_shaped_closing(ended, now)
        return () if row is None else (row,)
