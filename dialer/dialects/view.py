"""What a dialect needs beside the CDR, and items that ended without an attempt."""

from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from dialer.cdr import Cdr


@dataclass(frozen=True, slots=True)
class View:
    """How one record is shown. `zone` is the client's; `row_id` the integer id of its row among the
    CDRs, None for an item that ended without an attempt; `quick`: a quick call, not a batch's."""

    zone: ZoneInfo
    row_id: int | None
    quick: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """An item that ended without a further attempt: `disposition` is "expired" or "terminated".
    It has no times, no channel and no CDR; only pushed records tell of it."""

    call_id: str
    channel_id: str | None  # the client's own
    accountcode: str
    number: str
    caller_id: str | None
    disposition: str
    application: str | None = None
    data: str | None = None
    project: str | None = None
    contact_number: str | None = None
    customer_name: str | None = None


Source = Cdr | Closing


class Shape(StrEnum):
    """The shapes that a client's callbacks can have."""

    NATIVE = "native"
    DEFAULT = "default"
    FLEX = "flex"
    OZONETEL = "ozonetel"
    PBX = "pbx"


class CdrMapping(StrEnum):
    """The mappings of `/v2/cdr`."""

    DEFAULT = "default"
    FLEX = "flex"
