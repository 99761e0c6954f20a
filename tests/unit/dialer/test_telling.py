"""Callbacks about calls that go on: for who asked, sent once stored, never after the end."""

import asyncio
import json
from typing import Any

import pytest

from ami import CallProgressed, Progress
from dialer.errors import OwnershipLost, StoreUnavailable
from dialer.states import CallbackEvent
from dialer.store.contract import Delivery, OpenAttempt, Telling
from dialer.telling import TELL_RETRY
from tests.unit.dialer.worker_floor import Floor, item

BOTH = frozenset(CallbackEvent)
ALL = tuple(Progress)
WHEN = dict(zip(ALL, (100.25, 101.0, 102.0, 103.0), strict=True))


async def make_call(**client: Any) -> tuple[Floor, str]:
    floor = Floor(**client)
    floor.feed(item(1))
    await floor.turn()
    await floor.commit()
    return floor, floor.link.sent[0].channel_id


def reach(floor: Floor, channel_id: str, *stages: Progress) -> list[Telling]:
    """What is handed to the store when the call reaches these stages."""
    before = len(floor.ledger.tellings)
    floor.worker.on_effects([CallProgressed(channel_id, stage, WHEN[stage]) for stage in stages])
    return [telling for telling, _ in floor.ledger.tellings[before:]]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (frozenset(), []),
        ({CallbackEvent.STARTED}, ["call_started"]),
        ({CallbackEvent.ANSWERED}, ["call_answered"]),
        (BOTH, ["call_started", "call_answered"]),
    ],
)
async def test_what_was_asked_for_is_told(asked: set[CallbackEvent], told: list[str]) -> None:
    floor, channel_id = await make_call(callback_events=frozenset(asked))
    tellings = reach(floor, channel_id, *ALL)
    bodies = [json.loads(telling.delivery.body) for telling in tellings]
    assert [body["event_type"] for body in bodies] == told
    assert [telling.event.value for telling in tellings] == told
    assert {telling.fence for telling in tellings} <= {7}
    assert {body["start_time"] for body in bodies} <= {"1970-01-01T00:01:40.250Z"}


async def test_a_client_without_a_callback_is_told_nothing() -> None:
    floor, channel_id = await make_call(callback_events=BOTH, callback_url=None)
    assert reach(floor, channel_id, *ALL) == []


async def test_what_was_stored_is_offered() -> None:
    floor, channel_id = await make_call(callback_events=BOTH)
    (telling,) = reach(floor, channel_id, Progress.STARTED)
    row = telling.delivery
    stored = Delivery(
        row.kind, row.client_id, row.endpoint, row.url, row.method, row.event_id, row.body, 1.0
    )
    floor.ledger.tellings[0][1].set_result((stored,))
    await floor.turn()
    assert floor.offered == [stored]


async def test_a_telling_goes_to_the_store_before_the_end() -> None:
    floor, channel_id = await make_call(callback_events=BOTH)
    reach(floor, channel_id, Progress.STARTED)
    floor.end(channel_id)
    assert len(floor.ledger.tellings) == 1
    assert floor.ledger.settlements == []
    assert reach(floor, channel_id, Progress.ANSWERED) == []


@pytest.mark.parametrize("ended", [False, True], ids=["goes on", "ended"])
async def test_what_could_not_be_written_is_tried_again_while_the_call_goes_on(
    ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor, channel_id = await make_call(callback_events=BOTH)
    (telling,) = reach(floor, channel_id, Progress.STARTED)
    later: list[tuple[float, Any, tuple[Any, ...]]] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(
        loop, "call_later", lambda wait, act, *args: later.append((wait, act, args))
    )
    floor.ledger.tellings[0][1].set_exception(StoreUnavailable("disk full"))
    await floor.turn()
    ((wait, act, arguments),) = later
    assert wait == TELL_RETRY
    if ended:
        floor.end(channel_id)
    act(*arguments)
    assert [told for told, _ in floor.ledger.tellings[1:]] == ([] if ended else [telling])


async def test_who_lost_the_server_lets_go_of_it() -> None:
    floor, channel_id = await make_call(callback_events=BOTH)
    reach(floor, channel_id, Progress.STARTED)
    floor.ledger.tellings[0][1].set_exception(OwnershipLost(1))
    await floor.turn()
    assert floor.disowned == [1]


async def test_our_own_mistake_stops_the_product() -> None:
    floor, channel_id = await make_call(callback_events=BOTH)
    reach(floor, channel_id, Progress.STARTED)
    floor.ledger.tellings[0][1].set_exception(ValueError("bug"))
    with pytest.raises(ValueError, match="bug"):
        await floor.worker.run()


async def test_an_answer_that_the_life_before_knew_is_told_if_it_was_not() -> None:
    floor = Floor(callback_events=BOTH)
    opened = OpenAttempt(item(1), 1, "old-1", "act-1", "cdr-1", 999.0, answered_at=1001.5)
    unanswered = OpenAttempt(item(2), 1, "old-2", "act-2", "cdr-2", 999.0)
    floor.worker.resume([opened, unanswered])
    ((telling, _),) = floor.ledger.tellings
    assert telling.delivery.event_id == "cdr-1-answered"
    assert json.loads(telling.delivery.body)["start_time"] is None
