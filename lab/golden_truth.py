"""What the CDR of a golden call must say: from the carrier's own log, the dialplans and the order
itself. Nothing here has seen an AMI event."""

from pathlib import Path
from typing import Any, Final

from lab.golden_calls import Order
from tests.lab.campaign import DISPOSITIONS
from tests.lab.carrier_log import CarrierCall

REFUSALS: Final = {
    "busy": (17, 486),
    "congestion": (34, 503),
    "unallocated": (1, 404),
    "unavailable": (19, 480),
    "reject": (21, 403),
}
"""CAUSE in the carrier's dialplan (carrier/extensions.conf), and the SIP code that it makes."""

SECOND_ENDS: Final = {"answer": "ANSWER", "busy": "BUSY", "ring": "NOANSWER"}
_APART: Final = 0.05
"""Seconds by which the two ends of a line may measure a talk differently: one that is so near to a
whole number of them is not expected to have one."""

RECORDINGS: Final = "/var/lab/recordings"
"""DIALER_RECORDINGS in the PBX's dialplan."""


def expect_cdr(order: Order, carrier: list[CarrierCall]) -> dict[str, Any]:
    """The fields of the CDR that are certain beforehand, and under `carrier` the times of the first
    leg by the carrier's clock."""
    number = order.number
    first = next((call for call in carrier if call.number == number), None)
    if number == order.second:
        raise ValueError(f"{order.name}: both legs dial {number}")
    expected = _expect_order(order) | _expect_first(order, first)
    if order.recorded and first is not None and first.did == "answer":
        expected["recording_path"] = f"{RECORDINGS}/{order.recording}.wav"
    second = next((call for call in carrier if call.number == order.second), None)
    if order.second is not None:
        expected |= _expect_second(order, second)
    if first is not None:
        expected["carrier"] = {
            "arrived_at": first.at,
            "answered_at": first.did_at if first.did == "answer" else None,
            "ended_at": first.ended_at,
        }
    return expected


def _expect_order(order: Order) -> dict[str, Any]:
    return {
        "channel_id": order.channel_id,
        "number": order.number,
        "caller_id": order.caller_id,
        "application": order.application,
        "data": order.data,
    }


def _expect_first(order: Order, first: CarrierCall | None) -> dict[str, Any]:
    if first is None:
        return _expect_unreached(order)
    did = first.did or "ring"
    local = order.channel.startswith("Local/")
    expected: dict[str, Any] = {"disposition": DISPOSITIONS[did], "end_estimated": False}
    if not local:
        expected["sip_call_id"] = first.sip_call_id
    if did in REFUSALS:
        expected["cause"], expected["sip_code"] = REFUSALS[did]
    if did == "ring" and order.hung_up:
        expected["disposition"] = "cancel"
    if did == "answer":
        talked = first.talked or 0.0
        expected["error_message"] = None
        if int(talked - _APART) == int(talked + _APART):
            expected["billsec"] = int(talked)
    else:
        expected |= {"billsec": 0, "answered_at": None, "connected": False}
    return expected


def _expect_unreached(order: Order) -> dict[str, Any]:
    """The carrier never heard of it: its trunk is dead, or there is none."""
    dead = order.channel.endswith("@dead")
    return {
        "disposition": "not-available" if dead else "failed",
        "answered_at": None,
        "ringing_at": None,
        "billsec": 0,
        "connected": False,
    }


def _expect_second(order: Order, second: CarrierCall | None) -> dict[str, Any]:
    if second is None:  # it was not dialed
        return {"connected": False, "leg_b": None}
    did = second.did or "ring"
    given_up = did == "ring" and order.course is not None
    status = "CANCEL" if given_up else SECOND_ENDS[did]
    leg: dict[str, Any] = {"dial_status": status}
    if did in REFUSALS:
        leg["cause"], leg["sip_code"] = REFUSALS[did]
    return {"connected": did == "answer", "leg_b": leg}


def expect_lost(order: Order, carrier: list[CarrierCall], *, told: bool) -> dict[str, Any]:
    """A call that was live when Asterisk ended: nobody can say when it ended where that was not
    `told`, nor whether it rang where it was not answered."""
    first = next(call for call in carrier if call.number == order.number)
    answered = first.did == "answer"
    expected = _expect_order(order)
    if answered:
        return expected | {"disposition": "answered", "end_estimated": not told}
    unknown = {"answered_at": None, "billsec": 0, "connected": False}
    return expected | unknown | ({} if told else {"disposition": "unknown"})


def name_expectations(trace: Path) -> Path:
    return trace.with_name(f"{trace.stem}.expect.json")
