import pytest

from ami.trace.orders import Orders, begin_channel_names
from tests.unit.ami.trace.test_selection import choose, pieces

ORDERED = (
    "Action: Originate|ActionID: a1|Channel: SIP/x",
    "Action: Originate|ActionID: a2|Channel: SIP/y",
    "Action: Originate|ActionID: a3|Channel: SIP/x",
    "Response: Success|ActionID: a1",
    "Response: Success|ActionID: a2",
    "Event: Newchannel|Uniqueid: 1.1|Linkedid: 1.1|Channel: SIP/x-01",
    "Event: Newchannel|Uniqueid: 1.2|Channel: SIP/y-02",
    "Event: Newchannel|Uniqueid: 1.3|Linkedid: 1.1|Channel: SIP/x-03",
    "Event: Newchannel|Uniqueid: 1.4|Linkedid: 1.4|Channel: SIP/z-04",
)


@pytest.mark.parametrize(
    ("dial_string", "begins"),
    [
        ("PJSIP/9001@Carrier", "pjsip/carrier-"),
        ("SIP/trunk/9001", "sip/trunk-"),
        ("Local/259@default/n", "local/259@default"),
        ("", "/-"),
    ],
)
def test_how_the_names_of_channels_begin(dial_string: str, begins: str) -> None:
    assert begin_channel_names(dial_string) == begins


def test_a_first_channel_is_of_the_first_originate_that_fits_each_time_it_is_read() -> None:
    orders, said = Orders(), pieces(*ORDERED)
    for _ in range(2):
        found = [each for piece in said if (each := orders.take(piece)) is not None]
        assert found == [("1.1", "a1"), ("1.2", "a2")]


def test_an_originate_that_was_answered_waits_no_more() -> None:
    refused = "Event: OriginateResponse|ActionID: a1|Response: Failure|Uniqueid: <null>"
    said = pieces(*ORDERED[:3], refused, *ORDERED[5:])
    orders = Orders()
    assert [each for piece in said if (each := orders.take(piece)) is not None] == [
        ("1.1", "a3"),
        ("1.2", "a2"),
    ]


def test_a_slice_has_the_originate_that_no_response_names() -> None:
    said = pieces(*ORDERED)
    assert choose(said, "1.1") == [1, 4, 6, 8]
    assert choose(said, "1.2") == [2, 5, 7]
    assert choose(said, "1.4") == [9]
