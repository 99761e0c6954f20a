"""The history of calls: every filter, every page, every call once."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from dialer.cdr import Cdr
from dialer.histories import App, CdrQuery, CdrRow, Direction, HourWindow, Project
from dialer.store.contract import Store, StoredKey
from tests import store_records as make
from tests.conformance.store.conftest import Stored
from tests.store_records import NOW

# Of the calls below: the second one came earlier than the first, as a long call does.
CALLS: tuple[dict[str, Any], ...] = (
    {"disposition": "answered", "number": "9811", "caller_id": '"A" <1001>', "duration": 3,
     "application": "Dial", "data": "PJSIP/55@agents,30", "project": "one", "call_id": "c-0",
     "contact_number": "77"},
    {"disposition": "busy", "number": "9812", "caller_id": "1002", "started_at": NOW - 7200,
     "application": "Dial", "data": "PJSIP/101", "project": "two", "final": False},
    {"disposition": "no-answer", "number": "9813", "caller_id": None, "started_at": NOW + 60,
     "application": "Playback", "data": "hello", "project": None, "recording_path": "/r/a.wav"},
    {"disposition": "answered", "number": "1001", "caller_id": "9811", "started_at": NOW + 120,
     "application": "Queue", "data": "sales", "project": "one", "sip_call_id": "abc@host"},
    {"disposition": "failed", "number": "98'1%_4", "caller_id": "x", "started_at": NOW + 180,
     "application": None, "data": None, "project": "Zoë", "server_code": "pbx9",
     "client_channel_id": "their own!"},
)  # fmt: skip
# NOW is 2025-06-15T15:06:40.25Z.


async def add_calls(stored: Stored, *calls: dict[str, Any]) -> list[Cdr]:
    """Ended calls, in this order."""
    added = await stored.add(*[make.item() for _ in calls], queue_name="a queue")
    made = []
    for candidate, call in zip(
        await stored.waiting(added.queue_id, len(calls)), calls, strict=True
    ):
        attempt = await stored.dial(candidate)
        disposition = call.get("disposition", "answered")
        changes = {name: value for name, value in call.items() if name != "disposition"}
        cdr = make.cdr(attempt, disposition, **{"started_at": NOW, **changes})
        await stored.store.settle(make.settlement(attempt, cdr=cdr))
        made.append(cdr)
    return made


async def find(store: Store, query: CdrQuery) -> list[Cdr]:
    page = await store.cdr_page(query, 100)
    assert page.total == len(page.rows)
    assert page.next_cursor is None
    streamed = [row async for piece in store.cdr_stream(query) for row in piece]
    assert tuple(streamed) == page.rows
    return [row.cdr for row in page.rows]


WANTED: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3, 4]),
    ({"started_from": NOW}, [0, 2, 3, 4]),
    ({"started_from": NOW + 60, "started_until": NOW + 180}, [2, 3]),
    ({"started_until": NOW}, [1]),
    ({"started_from": NOW + 1, "started_until": NOW + 1}, []),
    ({"hours": HourWindow(13 * 3600, 14 * 3600)}, [1]),
    ({"hours": HourWindow(15 * 3600, 13 * 3600 + 1)}, [0, 2, 3, 4]),
    ({"hours": HourWindow(13 * 3600, 13 * 3600)}, [0, 1, 2, 3, 4]),
    ({"hours": HourWindow(17 * 3600, 86_400, "Europe/Bucharest")}, [0, 2, 3, 4]),
    ({"duration": 3}, [0, 1, 2, 3, 4]),
    ({"duration": 4}, []),
    ({"dispositions": frozenset({"answered", "busy"})}, [0, 1, 3]),
    ({"dispositions": frozenset()}, []),
    ({"apps": frozenset({App.AUTODIALER})}, [0, 1, 3]),
    ({"apps": frozenset({App.AUTOCALL})}, [2, 4]),
    ({"apps": frozenset({App.DIAL})}, []),
    ({"apps": frozenset(App)}, [0, 1, 2, 3, 4]),
    ({"directions": frozenset({Direction.OUTBOUND, Direction.LOCAL})}, [0, 1, 2, 3, 4]),
    ({"directions": frozenset({Direction.INBOUND})}, []),
    ({"extension": "agents"}, [0]),
    ({"extension": "101"}, [1]),
    ({"number": "9811"}, [0, 3]),
    ({"number": "1001"}, [0, 3]),
    ({"number": "981"}, []),
    ({"number_part": "100"}, [0, 1, 3]),
    ({"number_part": "%"}, [4]),
    ({"number_part": "_"}, [4]),
    ({"number_part": "'"}, [4]),
    ({"source_part": "981"}, [3]),
    ({"destination_part": "981"}, [0, 1, 2]),
    ({"projects": frozenset({"two", "Zoë"})}, [1, 4]),
    ({"projects": frozenset()}, []),
    ({"queue_id": 1}, [0, 1, 2, 3, 4]),
    ({"queue_id": 2}, []),
    ({"queue_name": "a queue"}, [0, 1, 2, 3, 4]),
    ({"queue_name": "A queue"}, []),
    ({"server_code": "pbx9"}, [4]),
    ({"contact_number": "77"}, [0]),
    ({"recorded": True}, [2]),
    ({"recorded": False}, [0, 1, 3, 4]),
    ({"final": False}, [1]),
    ({"from_id": 3}, [2, 3, 4]),
    ({"id": 2}, [1]),
    ({"id": 2**62}, []),
    ({"call_id": "c-0"}, [0]),
    ({"sip_call_id": "abc@host"}, [3]),
    ({"cdr_id": "nobody's"}, []),
    ({"dispositions": frozenset({"answered"}), "started_from": NOW + 1}, [3]),
    ({"client_id": 99}, []),
    ({"client_id": None}, [0, 1, 2, 3, 4]),
]


async def test_every_filter_finds_what_it_names(stored: Stored) -> None:
    calls = await add_calls(stored, *CALLS)
    for wanted, expected in WANTED:
        query = replace(CdrQuery(stored.client.id), **wanted)
        assert await find(stored.store, query) == [calls[i] for i in expected], wanted


async def test_what_is_beyond_every_page_is_empty(stored: Stored) -> None:
    await add_calls(stored, *CALLS)
    for query in (CdrQuery(1), CdrQuery(1, call_id="c-0"), CdrQuery(1, cdr_id="none")):
        page = await stored.store.cdr_page(query, 100, offset=10**30)
        assert (page.rows, page.next_cursor) == ((), None)
    for impossible in (CdrQuery(1, from_id=10**30), CdrQuery(1, call_id="\ud800")):
        assert await find(stored.store, impossible) == []


async def test_ids_find_their_call(stored: Stored) -> None:
    calls = await add_calls(stored, *CALLS)
    for cdr in calls:
        own = CdrQuery(stored.client.id)
        assert await find(stored.store, replace(own, cdr_id=cdr.cdr_id)) == [cdr]
        assert await find(stored.store, CdrQuery(99, cdr_id=cdr.cdr_id)) == []
    first, *_, last = calls
    own = CdrQuery(stored.client.id, uniqueid=first.channel_id)
    assert await find(stored.store, own) == [first]
    assert await find(stored.store, replace(own, client_id=99)) == []
    assert await find(stored.store, replace(own, uniqueid="their own!")) == [last]
    assert await find(stored.store, replace(own, uniqueid=last.channel_id)) == []


async def test_a_page_knows_what_follows_it(stored: Stored) -> None:
    calls = await add_calls(stored, *CALLS)
    store, own = stored.store, CdrQuery(stored.client.id)
    for offset in range(7):
        for limit in range(1, 7):
            page = await store.cdr_page(own, limit, offset=offset)
            assert [row.cdr for row in page.rows] == calls[offset : offset + limit]
            assert page.total == 5
            rest = bool(calls[offset + limit :])
            assert page.next_cursor == (page.rows[-1].id if rest else None)


async def test_what_follows_a_cursor(stored: Stored) -> None:
    calls = await add_calls(stored, *CALLS)
    store, own = stored.store, CdrQuery(stored.client.id)
    ids = [row.id for row in (await store.cdr_page(own, 100)).rows]
    assert all(one < two for one, two in pairwise(ids))
    for place, id_ in enumerate(ids, 1):
        page = await store.cdr_page(own, 2, after=id_)
        assert [row.cdr for row in page.rows] == calls[place : place + 2]
        assert page.total == 5
        later = await store.cdr_page(own, 2, after=id_, offset=1, count=False)
        assert [row.cdr for row in later.rows] == calls[place + 1 : place + 3]
        assert later.total is None


async def test_every_call_comes_once_while_calls_are_added(stored: Stored) -> None:
    seen: list[CdrRow] = []
    made: list[Cdr] = []
    last: int | None = None
    for _ in range(6):
        made += await add_calls(stored, *CALLS)
        page = await stored.store.cdr_page(CdrQuery(stored.client.id), 3, after=last)
        seen += page.rows
        last = page.rows[-1].id
        numbered = await stored.store.cdr_page(CdrQuery(stored.client.id), 3, offset=len(seen) - 3)
        assert numbered.rows == page.rows
    while (page := await stored.store.cdr_page(CdrQuery(stored.client.id), 3, after=last)).rows:
        seen += page.rows
        last = page.rows[-1].id
    assert [row.cdr for row in seen] == made


async def test_a_quick_call_is_one(stored: Stored) -> None:
    queue_id = await stored.store.insert_quick_call(stored.client.id, make.item(), NOW)
    (candidate,) = await stored.waiting(queue_id)
    attempt = await stored.dial(candidate)
    cdr = make.cdr(attempt, application="Dial", data="PJSIP/7")
    await stored.store.settle(make.settlement(attempt, cdr=cdr))
    await add_calls(stored, *CALLS)
    query = CdrQuery(stored.client.id, apps=frozenset({App.DIAL}))
    (row,) = (await stored.store.cdr_page(query, 10)).rows
    assert (row.cdr, row.quick) == (cdr, True)
    others = await stored.store.cdr_page(replace(query, apps=frozenset({App.AUTODIALER})), 10)
    assert [row.quick for row in others.rows] == [False] * 3
    assert {row.queue_name for row in others.rows} == {"a queue"}


async def test_projects_have_numbers_that_stay(stored: Stored) -> None:
    assert await stored.store.projects(stored.client.id) == ()
    await add_calls(stored, *CALLS[:3])
    first = (Project(1, "one"), Project(2, "two"))
    assert await stored.store.projects(stored.client.id) == first
    await add_calls(stored, *CALLS)
    assert await stored.store.projects(stored.client.id) == (*first, Project(3, "Zoë"))


async def test_a_client_has_no_part_in_another_ones_history(stored: Stored) -> None:
    calls = await add_calls(stored, *CALLS)
    other = await stored.store.add_client(
        replace(make.CLIENT, accountcode="b", username="b"), StoredKey("other", "digest"), NOW
    )
    await stored.store.insert_batch(make.batch(make.item(), client_id=other.id))
    (candidate,) = await stored.waiting(2)
    attempt = await stored.dial(candidate)
    cdr = make.cdr(attempt, project="theirs")
    await stored.store.settle(make.settlement(attempt, cdr=cdr))
    assert await find(stored.store, CdrQuery(stored.client.id)) == calls
    assert await find(stored.store, CdrQuery(other.id)) == [cdr]
    assert await find(stored.store, CdrQuery(None)) == [*calls, cdr]
    assert await stored.store.projects(other.id) == (Project(1, "theirs"),)
