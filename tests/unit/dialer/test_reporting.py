"""Outbox rows: a callback where the client has a URL, a CDR for SGAPI where there is a gateway."""

import json
from dataclasses import replace

import pytest

from dialer.attempts import conclude
from dialer.delivery.sgapi import SgapiTarget
from dialer.dialects import Shape
from dialer.reporting import Reporter
from dialer.retry import RetryRules
from dialer.states import CallbackEvent, ItemEnd
from dialer.store.contract import Client, EndedItem, NumberedDelivery
from tests.unit.dialer.builders import make_client, make_item, make_report
from tests.unit.dialer.delivery.samples import make_reached
from tests.unit.dialer.test_attempts import make_attempt

CDR, _ = conclude(make_attempt(), make_report(), RetryRules(), 5000.0)
TOLD = make_client(1, callback_url="https://client.example/cdr")


def make_ended(client: Client) -> EndedItem:
    return EndedItem(make_item(1), ItemEnd.EXPIRED, client, "pbx1")


def test_a_cdr_goes_to_both() -> None:
    reporter = Reporter(SgapiTarget("https://sgapi.example"), lambda _: None)
    rows = reporter.deliveries_of(CDR, TOLD, 1.0)
    assert [(row.kind, row.event_id) for row in rows] == [
        ("callback", CDR.cdr_id),
        ("sgapi", CDR.cdr_id),
    ]


@pytest.mark.parametrize(
    ("shape", "key"),
    [
        (Shape.NATIVE, "event_type"),
        (Shape.DEFAULT, "time_started"),
        (Shape.FLEX, "cdrId"),
        (Shape.OZONETEL, "UCID"),
        (Shape.PBX, "uniqueid"),
    ],
)
def test_callbacks_have_the_clients_shape_and_sgapi_its_own(shape: Shape, key: str) -> None:
    client = replace(TOLD, callback_shape=shape)
    reporter = Reporter(SgapiTarget("https://sgapi.example"), lambda _: None)
    callback, sgapi = reporter.deliveries_of(CDR, client, 1.0)
    body = callback.finish(1) if isinstance(callback, NumberedDelivery) else callback.body
    assert key in json.loads(body)
    assert "called_number" in json.loads(sgapi.body)
    (closing,) = reporter.closing_of(make_ended(client), 1.0)
    assert key in json.loads(closing.body)


def test_who_wants_nothing_gets_nothing() -> None:
    silent = replace(TOLD, callback_url=None)
    reporter = Reporter(None, lambda _: None)
    assert reporter.deliveries_of(CDR, silent, 1.0) == ()
    assert reporter.closing_of(make_ended(silent), 1.0) == ()


def test_an_item_that_ended_without_an_attempt_is_one_callback_and_no_cdr() -> None:
    reporter = Reporter(SgapiTarget("https://sgapi.example"), lambda _: None)
    (row,) = reporter.closing_of(make_ended(TOLD), 1.0)
    body = json.loads(row.body)
    assert (row.kind, body["event_type"], body["disposition"]) == (
        "callback",
        "call_timeout",
        "expired",
    )
    assert body["server_code"] == "pbx1"


def test_how_calls_ended_is_counted_once_each() -> None:
    reporter = Reporter(None, lambda _: None)
    for _ in range(3):
        reporter.deliveries_of(CDR, TOLD, 1.0)
    assert reporter.ends.describe(1.0)["dispositions"] == {CDR.disposition: 3}


@pytest.mark.parametrize("shape", Shape)
def test_calls_that_go_on_are_told_to_who_asked_in_the_native_body(shape: Shape) -> None:
    reporter = Reporter(None, lambda _: None)
    reached = make_reached(CallbackEvent.STARTED)
    client = replace(TOLD, callback_shape=shape, callback_events=frozenset({CallbackEvent.STARTED}))
    row = reporter.progress_of(reached, client, 1.0)
    assert row is not None
    assert json.loads(row.body)["event_type"] == "call_started"
    other = replace(reached, event=CallbackEvent.ANSWERED)
    assert reporter.progress_of(other, client, 1.0) is None
