"""What the policy takes for granted of Asterisk: the number of a caller ID, and what
`PJSIP/one/other` calls."""

from itertools import count

import pytest

from tests.dial_reading import read_caller_number
from tests.lab.raw_ami import RawAmi
from tests.lab.running_lab import Lab
from tests.lab.table_calls import logged_in, unique
from tests.unit.dialer.test_caller_id import ARGUABLE, HEARD, NONE

pytestmark = pytest.mark.lab

NUMBERS = count()
BUSY = "PJSIP/1000001@carrier"


async def originate(ami: RawAmi, channel: str, caller_id: str) -> tuple[str, str]:
    """The number of the caller ID and the identity of an Originate that has had its answer."""
    identity = unique(f"policy-fact-{next(NUMBERS):03d}")
    headers = {"ActionID": identity, "ChannelId": identity, "Channel": channel, "Async": "true"}
    more = {"Application": "Wait", "Data": "1", "Timeout": "2000", "CallerID": caller_id}
    ami.send("Originate", headers | more)
    answer = await ami.first(lambda m: m.event == "OriginateResponse" and m["ActionID"] == identity)
    return answer["CallerIDNum"], identity


async def test_the_number_of_a_caller_id(lab: Lab) -> None:
    """Also where the product refuses to find one: the tests' own reading of it is Asterisk's."""
    async with logged_in(lab.pbx1) as ami:
        for text, number in HEARD:
            assert (await originate(ami, BUSY, text))[0] == number, text
        for text in (*ARGUABLE, *filter(None, NONE)):
            found = (await originate(ami, BUSY, text))[0]
            assert found == (read_caller_number(text) or "<unknown>"), text


@pytest.mark.parametrize(
    ("channel", "reached"),
    [
        ("PJSIP/nocontact", False),
        ("PJSIP/1000001@nocontact", False),
        ("PJSIP/nocontact/1000001", False),
        ("PJSIP/carrier/1000001", False),
        ("PJSIP/nocontact/carrier", True),
        ("PJSIP/1000001@nocontact/carrier", True),
    ],
)
async def test_behind_an_endpoint_of_pjsip_stands_an_aor(
    lab: Lab, channel: str, reached: bool
) -> None:
    """`nocontact` leads nowhere by itself; `carrier` behind it does, a number does not."""
    async with logged_in(lab.pbx1) as ami:
        _, identity = await originate(ami, channel, "100")
        made = any(m.event == "Newchannel" and m["Uniqueid"] == identity for m in ami.messages)
        if reached:
            hangup = await ami.first(lambda m: m.event == "Hangup" and m["Uniqueid"] == identity)
            assert hangup["TechCause"] in ("404", "486")
        assert made is reached
