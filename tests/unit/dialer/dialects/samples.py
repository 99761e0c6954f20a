"""Calls as the dialect tests need them, and how they are shown."""

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from ami import LegB
from dialer.cdr import Cdr
from dialer.dialects import Closing, View
from tests.unit.dialer.delivery.samples import make_cdr

HANOI = View(ZoneInfo("Asia/Ho_Chi_Minh"), row_id=29056, quick=False)
START = 1705314600.25  # 2024-01-15 17:30:00 in Hanoi


def make_talk(**changes: Any) -> Cdr:
    """A recorded call of a batch that was answered and brought to an agent."""
    talk = make_cdr(
        number="0899888999",
        channel="PJSIP/0899888999@carrier",
        caller_id='"Acme Ltd" <19001919>',
        application="Dial",
        data="PJSIP/0987654321@agents,30",
        leg_b=LegB("PJSIP/agents-0000001a", "ANSWER", 16, None, START + 8, START + 70),
        started_at=START,
        ringing_at=START + 2.5,
        answered_at=START + 6.75,
        ended_at=START + 70.25,
        duration=70,
        billsec=63,
        ring_seconds=4,
        recording_url="https://recordings.example/acme/1.wav",
        recording_path="/var/spool/asterisk/monitor/acme/1.wav",
        sip_call_id="80bea701-49de-123a-89ab-fa163e3b9b38",
        contact_number="98123",
        customer_name="Jane Roe",
    )
    return replace(talk, **changes)


def make_failure(disposition: str, **changes: Any) -> Cdr:
    """A call that was not answered, of which little is known."""
    failure = make_cdr(
        disposition=disposition,
        caller_id=None,
        application="Playback",
        data="hello",
        leg_b=None,
        ringing_at=None,
        answered_at=None,
        billsec=0,
        ring_seconds=0,
        connected=False,
        cause=None,
        cause_text=None,
        dial_status=None,
        project=None,
        contact_number=None,
    )
    return replace(failure, **changes)


def make_closing(**changes: Any) -> Closing:
    closing = Closing(
        call_id="call-1",
        channel_id=None,
        accountcode="acme",
        number="5550100",
        caller_id=None,
        disposition="expired",
        project="spring",
        contact_number="1234567890",
    )
    return replace(closing, **changes)
