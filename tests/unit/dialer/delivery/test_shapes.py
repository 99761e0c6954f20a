import json
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dialer.delivery.shapes import build_shaped, build_shaped_closing
from dialer.dialects import Shape, View
from dialer.dialects.ozonetel import number_call, write_report_row
from dialer.dialects.pbx import write_pbx
from dialer.dialects.v2_default import write_default
from dialer.dialects.v2_flex import write_flex
from dialer.states import ItemEnd
from dialer.store.contract import Client, NumberedDelivery
from tests.unit.dialer.delivery.samples import CLIENT, NOW, make_cdr, make_ended

SAMPLE = make_cdr(caller_id="Zürich \u2028 <1001>")
ROW = 29056
RECORDS = {
    Shape.DEFAULT: write_default,
    Shape.FLEX: write_flex,
    Shape.OZONETEL: write_report_row,
    Shape.PBX: write_pbx,
}


def make_client(shape: Shape, **changes: Any) -> Client:
    return replace(CLIENT, callback_shape=shape, timezone="Asia/Tehran", **changes)


def push(shape: Shape, **changes: Any) -> str:
    """The body as it is stored with the CDR's row."""
    delivery = build_shaped(replace(SAMPLE, **changes), make_client(shape), NOW)
    assert delivery is not None
    return delivery.finish(ROW) if isinstance(delivery, NumberedDelivery) else delivery.body


@pytest.mark.parametrize("shape", list(RECORDS))
def test_what_is_pushed_is_what_would_be_read(shape: Shape) -> None:
    record = RECORDS[shape](SAMPLE, View(ZoneInfo("Asia/Tehran"), ROW, quick=False))
    assert list(json.loads(push(shape)).items()) == list(record.items())


@pytest.mark.parametrize("shape", list(RECORDS))
def test_it_goes_where_a_native_one_goes(shape: Shape) -> None:
    delivery = build_shaped(SAMPLE, make_client(shape), NOW)
    assert delivery is not None
    assert (delivery.kind, delivery.method, delivery.client_id) == ("callback", "POST", 7)
    assert delivery.url == "https://Client.example:8443/hook?x=1"
    assert delivery.endpoint == "https://client.example:8443 acme"
    assert (delivery.event_id, delivery.due_at) == (SAMPLE.cdr_id, NOW)


@pytest.mark.parametrize("shape", list(RECORDS))
def test_the_bytes_are_the_same_in_any_charset(shape: Shape) -> None:
    assert push(shape).isascii()


def test_ids_are_those_of_the_row() -> None:
    assert json.loads(push(Shape.OZONETEL))["UCID"] == number_call(ROW)
    assert json.loads(push(Shape.PBX))["id"] == str(ROW)


def test_a_call_without_a_batch_is_a_quick_call() -> None:
    assert json.loads(push(Shape.OZONETEL, batch_id=None))["Type"] == "Manual"
    assert json.loads(push(Shape.OZONETEL, batch_id=0))["Type"] == "Progressive"


@pytest.mark.parametrize("shape", list(RECORDS))
def test_no_address_no_callback(shape: Shape) -> None:
    silent = make_client(shape, callback_url=None)
    assert build_shaped(SAMPLE, silent, NOW) is None
    ended = replace(make_ended(ItemEnd.EXPIRED), client=silent)
    assert build_shaped_closing(ended, NOW) is None


@pytest.mark.parametrize(
    ("shape", "name", "words"),
    [
        (Shape.DEFAULT, "status", ("INVALID", "CANCEL")),
        (Shape.FLEX, "status", ("invalid", "cancel")),
        (Shape.OZONETEL, "Disposition", ("expired", "terminated")),
        (Shape.PBX, "call_status_info", ("HI:expired", "HI:terminated")),
    ],
)
def test_items_that_ended_without_an_attempt(
    shape: Shape, name: str, words: tuple[str, str]
) -> None:
    for end, word in zip((ItemEnd.EXPIRED, ItemEnd.TERMINATED), words, strict=True):
        ended = replace(make_ended(end), client=make_client(shape))
        delivery = build_shaped_closing(ended, NOW)
        assert delivery is not None
        assert not isinstance(delivery, NumberedDelivery)
        assert delivery.event_id == "item-11"
        assert delivery.endpoint == "https://client.example:8443 acme closings"
        record = json.loads(delivery.body)
        assert record[name] == word
        assert "5550100" in record.values()
        assert "spring" in record.values() or shape in (Shape.DEFAULT, Shape.FLEX)


def test_what_the_client_gave_with_an_item_is_told_back() -> None:
    ended = replace(make_ended(ItemEnd.EXPIRED), client=make_client(Shape.PBX))
    delivery = build_shaped_closing(ended, NOW)
    assert delivery is not None
    record = json.loads(delivery.body)
    assert (record["uniqueid"], record["customer_id"]) == ("mine-0001", "1234567890")
    assert (record["external_id"], record["accounting_code"]) == ("call-1", "acme")


def test_an_item_of_which_little_is_known() -> None:
    ended = replace(make_ended(ItemEnd.EXPIRED, payload={}), client=make_client(Shape.PBX))
    delivery = build_shaped_closing(ended, NOW)
    assert delivery is not None
    assert json.loads(delivery.body)["customer_id"] is None
