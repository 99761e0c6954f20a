"""Calls that ended, for tests of the APIs that show them."""

from typing import Any, Final

from dialer.cdr import Cdr
from dialer.store.contract import Candidate
from tests import store_records as make
from tests.unit.dialer.api.conftest import NOW, Api

DAY: Final = 86_400.0
QUICK: Final[dict[str, Any]] = {
    "asterisk_server_code": "server1",
    "number1": "1234567890",
    "customer_name": "John Doe",
    "action": {"Application": "Dial"},
}
_batches = iter(range(1000, 10**9))


async def end_calls(api: Api, *calls: dict[str, Any], key: str = "alpha") -> list[Cdr]:
    """A batch of calls that ended one after the other; what their CDRs have is given."""
    body = {"batch_id": next(_batches), "data": [make_item() for _ in calls]}
    answer = await api.post("/queues/insertdataincallqueue/", key, json=body)
    assert answer.status_code == 200, answer.text
    return await _settle(api, answer.json()["data"]["queue_id"], calls)


async def end_quick_call(api: Api, **call: Any) -> Cdr:
    """A quick call of alpha's that ended."""
    answer = await api.post("/queues/insertquickcall/", json=QUICK)
    assert answer.status_code == 200, answer.text
    (cdr,) = await _settle(api, answer.json()["data"]["queue_id"], (call,))
    return cdr


def make_item() -> dict[str, Any]:
    return {
        "asterisk_server_code": "server1",
        "action": {"Action": "Originate", "Channel": "PJSIP/1234567890@endpoint1"},
    }


async def _settle(api: Api, queue_id: int, calls: tuple[dict[str, Any], ...]) -> list[Cdr]:
    (server, *_) = await api.store.servers()
    waiting: tuple[Candidate, ...] = await api.store.waiting(queue_id, server.id, 0, len(calls))
    made = []
    for candidate, call in zip(waiting, calls, strict=True):
        named = {name: call[name] for name in ("channel_id",) if name in call}
        attempt = make.reservation(candidate, NOW, **named)
        assert await api.store.reserve(attempt)
        values = {"started_at": NOW, "ringing_at": NOW + 2, "answered_at": NOW + 8}
        values |= {"ended_at": NOW + 11, "duration": 11, "billsec": 3, "ring_seconds": 6}
        record = make.cdr(attempt, **{**values, **call})
        await api.store.settle(make.settlement(attempt, cdr=record))
        made.append(record)
    return made
