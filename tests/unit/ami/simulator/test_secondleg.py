"""The second leg; its events are compared with captures in test_dialogue."""

import pytest

from tests.unit.ami.simulator.wiretap import logged_in


@pytest.mark.parametrize(
    ("data", "status", "cause", "sip_code"),
    [
        ("PJSIP/9003@carrier,5", "CONGESTION", "34", "503"),
        ("PJSIP/9005@carrier,5", "NOANSWER", "19", "480"),
        ("PJSIP/9010@carrier,5", "BUSY", "17", "486"),
        ("PJSIP/9011@carrier,5", "NOANSWER", "21", "403"),
        ("PJSIP/9002@carrier,1", "NOANSWER", "0", ""),
        ("PJSIP/9002@dead,1", "NOANSWER", "0", ""),
        ("PJSIP/9001@carrier&PJSIP/9000@carrier", "BUSY", "17", "486"),
    ],
)
async def test_the_first_leg_ends_with_the_seconds_cause(
    data: str, status: str, cause: str, sip_code: str
) -> None:
    async with logged_in() as (simulator, tap):
        tap.originate("call-1", "PJSIP/9007@carrier", Application="Dial", Data=data)
        hangup = await tap.event("Hangup", "call-1")
        assert (hangup.get("Cause"), hangup.get("TechCause")) == (cause, sip_code)
        ends = [m for m in tap.messages if m.name == "DialEnd" and m.get("Uniqueid") == "call-1"]
        assert [end.get("DialStatus") for end in ends] == [status]
        assert simulator.counters.live_channels == 0


@pytest.mark.parametrize("data", ["PJSIP/9000@nocontact", "SIP/9000@carrier", "", "nonsense,5"])
async def test_a_target_that_cannot_be_reached(data: str) -> None:
    async with logged_in() as (_, tap):
        tap.originate("call-1", "PJSIP/9007@carrier", Application="Dial", Data=data)
        hangup = await tap.event("Hangup", "call-1")
        assert (hangup.get("Cause"), hangup.get("TechCause")) == ("3", "404")
