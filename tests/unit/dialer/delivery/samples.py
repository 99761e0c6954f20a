"""A CDR, a client and deliveries as the delivery tests need them."""

from dataclasses import replace
from typing import Any

from ami import LegB
from dialer.cdr import Cdr
from dialer.delivery.callback import Reached
from dialer.states import CallbackEvent, ItemEnd
from dialer.store.contract import Candidate, Client, Delivery, EndedItem

NOW = 1705314700.0

CLIENT = Client(
    id=7,
    name="Acme",
    accountcode="acme",
    username="acme",
    callback_url="https://Client.example:8443/hook?x=1",
)


def make_cdr(**changes: Any) -> Cdr:
    cdr = Cdr(
        cdr_id="018d0000-0000-7000-8000-000000000001",
        call_id="call-1",
        channel_id="018d0000-0000-7000-8000-00000000000a",
        client_id=7,
        accountcode="acme",
        queue_id=3,
        item_id=11,
        batch_id=12345,
        server_code="pbx1",
        attempt=1,
        final=True,
        next_attempt_at=None,
        number="5550100",
        caller_id="Acme <1001>",
        disposition="answered",
        started_at=1705314600.25,
        ringing_at=1705314601.0,
        answered_at=1705314603.0,
        ended_at=1705314610.5,
        end_estimated=False,
        duration=10,
        billsec=7,
        ring_seconds=2,
        connected=True,
        cause=16,
        cause_text="Normal Clearing",
        sip_code=None,
        reason=4,
        dial_status="ANSWER",
        leg_b=LegB("PJSIP/b-1", "ANSWER", 16, None, 1705314604.0, 1705314610.0),
        error_message=None,
        project="spring",
        contact_number="1234567890",
    )
    return replace(cdr, **changes)


def make_ended(end: ItemEnd, **changes: Any) -> EndedItem:
    item = Candidate(
        id=11,
        client_id=7,
        queue_id=3,
        server_id=1,
        quick=False,
        call_id="call-1",
        number="5550100",
        caller_id=None,
        payload={
            "action": {"ChannelId": "mine-0001"},
            "project": "spring",
            "contact_number": 1234567890,
        },
        retry=0,
        attempts=1,
        unplaced=1,
        due_at=None,
        deadline=None,
        channel_base="mine-0001",
        batch_id=12345,
        created_at=NOW,
    )
    return EndedItem(replace(item, **changes), end, CLIENT, "pbx1")


def make_reached(event: CallbackEvent, **changes: Any) -> Reached:
    reached = Reached(
        event=event,
        candidate=make_ended(ItemEnd.EXPIRED).candidate,
        server_code="pbx1",
        cdr_id="018d0000-0000-7000-8000-000000000001",
        channel_id="018d0000-0000-7000-8000-00000000000a",
        attempt=3,
        started_at=1705314600.25,
    )
    return replace(reached, **changes)


def make_delivery(number: int, endpoint: str = "https://a:443", **changes: Any) -> Delivery:
    kind = "sgapi" if endpoint == "sgapi" else "callback"
    delivery = Delivery(
        kind=kind,
        client_id=7,
        endpoint=endpoint,
        url="https://a/hook",
        method="PUT" if kind == "sgapi" else "POST",
        event_id=f"event-{number}",
        body=f'{{"n":{number}}}',
        due_at=NOW,
        id=number,
    )
    return replace(delivery, **changes)
