"""Callbacks about calls that go on: each event of an attempt is stored once, while it is open."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from dialer.errors import OwnershipLost
from dialer.states import CallbackEvent
from dialer.store.bulk import run_with_rows
from dialer.store.contract import Delivery, Telling
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor, both, relation
from dialer.store.outbox import insert_deliveries
from dialer.store.rows import dump_json

BITS: Final[Mapping[CallbackEvent, int]] = MappingProxyType(
    {CallbackEvent.STARTED: 1, CallbackEvent.ANSWERED: 2}
)
"""Of the column `attempts.told`."""

_OPEN: Final = both("""
SELECT @list(@row(a.channel_id, a.id, a.server_id, s.fence, a.told))
FROM attempts a JOIN servers s ON s.id = a.server_id
WHERE a.state = 'open' AND @name(a.channel_id) IN @names(?)
""")
_TOLD: Final = relation(id="bigint", told="integer")
_MARK: Final = both("UPDATE attempts SET told = r.told FROM {rows} WHERE attempts.id = r.id")

Told = tuple[Delivery, ...] | OwnershipLost


def tell(cursor: Cursor, tellings: Sequence[Telling], deltas: Deltas) -> list[Told]:
    """The stored delivery of each; () for what was told before, or of an attempt that has ended."""
    results: list[Told] = [()] * len(tellings)
    names = dump_json([telling.channel_id for telling in tellings])
    found = json.loads(_OPEN.ask(cursor, names))
    open_ = {channel_id.lower(): attempt for channel_id, *attempt in found}
    told: dict[int, int] = {id_: bits for id_, _, _, bits in open_.values()}
    places: list[int] = []
    for place, telling in enumerate(tellings):
        attempt = open_.get(telling.channel_id.lower())
        if attempt is None:
            continue
        id_, server_id, fence, _ = attempt
        if fence != telling.fence:
            results[place] = OwnershipLost(server_id)
        elif not told[id_] & BITS[telling.event]:
            told[id_] |= BITS[telling.event]
            places.append(place)
    marked = [(id_, told[id_]) for id_, _, _, bits in open_.values() if told[id_] != bits]
    run_with_rows(cursor, _MARK, _TOLD, marked)
    new = [(tellings[place].delivery, tellings[place].now) for place in places]
    for place, delivery in zip(places, insert_deliveries(cursor, new, deltas), strict=True):
        results[place] = (delivery,)
    return results
