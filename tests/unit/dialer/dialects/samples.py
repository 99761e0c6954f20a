"""A call as the dialect tests need it, and how it is shown."""

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from dialer.dialects import Closing, View

HANOI = View(ZoneInfo("Asia/Ho_Chi_Minh"), row_id=29056, quick=False)


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
