"""CDRs of other systems on their way to SGAPI."""

import asyncio
import json
from dataclasses import dataclass, field

from dialer.delivery.forwarding import (
    AT_ONCE,
    STORE_PAUSE,
    build_forward,
    forward_all_to,
    forward_left,
    forward_to,
)
from dialer.delivery.sgapi import SgapiTarget, build_sgapi, locate
from dialer.errors import StoreUnavailable
from dialer.store.contract import ForeignCdr, Forwards
from tests.patience import PATIENCE
from tests.unit.dialer.delivery import samples
from tests.unit.dialer.delivery.fakes import FakeClock

NOW = 1_705_314_960.0
UUID = "550e8400-e29b-41d4-a716-446655440000"
TARGET = SgapiTarget("https://sgapi.example/api", "operators")


def make_cdr(entity: str | None = None, **content: object) -> ForeignCdr:
    told = {"caller_id": "+15551234567", "disposition": "cancel", "direction": "inbound"}
    return ForeignCdr(7, UUID, "our-id", entity, {**told, **content}, NOW)


def test_it_goes_out_as_it_came_in_the_words_of_sgapi() -> None:
    made = build_forward(make_cdr(custom_data={"a": 1}), UUID, TARGET, NOW)
    assert (made.kind, made.method, made.endpoint) == ("sgapi", "PUT", "sgapi")
    assert (made.client_id, made.event_id, made.due_at) == (7, UUID, NOW)
    assert list(json.loads(made.body).items()) == [
        ("uuid", UUID),
        ("caller_id", "+15551234567"),
        ("disposition", "NO ANSWER"),
        ("direction", "inbound"),
        ("custom_data", {"a": 1}),
    ]


def test_under_another_uuid_it_says_its_own() -> None:
    made = build_forward(make_cdr(custom_data={"a": 1}), "our-id", TARGET, NOW)
    body = json.loads(made.body)
    assert (made.event_id, body["uuid"]) == ("our-id", "our-id")
    assert body["custom_data"] == {"a": 1, "source_uuid": UUID}
    bare = json.loads(build_forward(make_cdr(), "our-id", TARGET, NOW).body)
    assert bare["custom_data"] == {"source_uuid": UUID}


def test_the_operator_may_change_the_words() -> None:
    target = SgapiTarget("https://sgapi.example", words={"cancel": "CANCELLED"})
    assert json.loads(build_forward(make_cdr(), UUID, target, NOW).body)["disposition"] == (
        "CANCELLED"
    )


def test_it_goes_to_the_entity_that_it_names_wherever_sgapi_is() -> None:
    own = build_forward(make_cdr("outbound_sales"), UUID, TARGET, NOW).url
    plain = build_forward(make_cdr(), UUID, TARGET, NOW).url
    assert plain == "https://sgapi.example/api/cdrtosgapi/operators"
    assert locate(own, None) == "https://sgapi.example/api/cdrtosgapi/outbound_sales"
    for moved in ("https://new.example/cdrtosgapi", "https://new.example/cdrtosgapi/others"):
        assert locate(own, moved) == "https://new.example/cdrtosgapi/outbound_sales"
        assert locate(plain, moved) == moved
    assert locate(plain, None) == plain


@dataclass
class WaitingStore:
    """Holds CDRs without deliveries; fails as often as it is told."""

    left: int
    failures: int = 0
    made: list[str] = field(default_factory=list)

    async def forward_unsent(self, forwards: Forwards | None, now: float, limit: int) -> int:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("locked")
        count = min(limit, self.left)
        self.left -= count
        assert forwards is not None
        self.made += [forwards.foreign(make_cdr(), UUID).url] * count
        return count


async def run(store: WaitingStore) -> tuple[int, list[float]]:
    """How often the deliverer was woken, and the pauses that were made."""
    wakes, pauses = 0, []

    def wake() -> None:
        nonlocal wakes
        wakes += 1

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    await asyncio.wait_for(forward_left(store, TARGET, FakeClock(NOW), wake, pause), PATIENCE)
    return wakes, pauses


async def test_what_waited_is_sent_in_pieces() -> None:
    store = WaitingStore(2 * AT_ONCE + 1)
    assert await run(store) == (3, [])
    assert store.left == 0
    assert set(store.made) == {TARGET.address}


async def test_nothing_wakes_nobody() -> None:
    assert await run(WaitingStore(0)) == (0, [])


async def test_a_store_that_fails_is_asked_again() -> None:
    store = WaitingStore(5, failures=2)
    assert await run(store) == (1, [STORE_PAUSE, STORE_PAUSE])
    assert len(store.made) == 5


def test_the_store_gets_a_function_of_cdr_and_uuid() -> None:
    assert forward_to(TARGET, NOW)(make_cdr(), UUID) == build_forward(make_cdr(), UUID, TARGET, NOW)


def test_a_call_of_ours_goes_as_it_goes_at_its_end() -> None:
    cdr = samples.make_cdr()
    assert forward_all_to(TARGET, NOW).own(cdr) == build_sgapi(cdr, TARGET, NOW)
