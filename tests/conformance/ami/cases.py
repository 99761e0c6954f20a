"""The calls that both peers are given, and the report that both must give of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ami import (
    BridgeEntered,
    ChannelState,
    ChannelStateChanged,
    DialBegun,
    DialProgressed,
    Disposition,
    Event,
    RecordingStarted,
    assign,
)

Trigger = Callable[[Event, str], bool]
D = Disposition


@dataclass(frozen=True, slots=True)
class Expected:
    """A CallReport without its ids, times and names. `leg_b`: dial status, cause, SIP code of the
    second leg. `ring` and `talk`: seconds, within 0.5 below and 1.5 above. `recording`: the file,
    below the folder of all recordings."""

    disposition: Disposition
    cause: int | None = None
    sip_code: int | None = None
    reason: int | None = 0
    dial_status: str | None = None
    rang: bool = False
    placed: bool = True
    connected_b: bool = False
    leg_b: tuple[str | None, int | None, int | None] | None = None
    ring: float | None = None
    talk: float | None = None
    recording: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One call. `hang_on`: our Hangup follows the first event for which it is true."""

    channel: str
    expected: Expected
    application: str | None = "Wait"
    data: str = "60"
    timeout_ms: int = 20_000
    hang_on: Trigger | None = None
    variables: tuple[str, ...] = ()


def dialed(event: Event, call: str) -> bool:
    return isinstance(event, DialBegun) and event.dest_uniqueid == call


def ringing(event: Event, call: str) -> bool:
    return isinstance(event, ChannelStateChanged) and (event.uniqueid, event.state) == (
        call,
        ChannelState.RINGING,
    )


def up(event: Event, call: str) -> bool:
    return isinstance(event, ChannelStateChanged) and (event.uniqueid, event.state) == (
        call,
        ChannelState.UP,
    )


def second_rings(event: Event, call: str) -> bool:
    return isinstance(event, DialProgressed) and event.uniqueid == call


def bridged(event: Event, call: str) -> bool:
    return isinstance(event, BridgeEntered) and event.uniqueid == call


def is_recorded(event: Event, call: str) -> bool:
    return isinstance(event, RecordingStarted) and event.uniqueid == call


def answered(cause: int, *, ring: float = 0.2, talk: float, **more: object) -> Expected:
    """An answered call; `more`: the other fields."""
    plain = Expected(D.ANSWERED, cause, None, 4, "ANSWER", True, ring=ring, talk=talk)
    return replace(plain, **more)


def replace(expected: Expected, **more: object) -> Expected:
    fields = {name: getattr(expected, name) for name in Expected.__slots__} | more
    return Expected(**fields)


def no_channel() -> Expected:
    return Expected(D.FAILED, placed=False)


def straight(number: str) -> str:
    return f"PJSIP/90{number}@carrier"


def record(name: str, application: str, data: str = "", **more: str) -> tuple[str, ...]:
    """The variables of a recorded call; `more`: others in place of these."""
    wanted = {
        "DIALER_RECORDING": f"conformance/{name}",
        "DIALER_FORMAT": "wav",
        "DIALER_PROFILE": "default",
        "DIALER_APPLICATION": application,
        "DIALER_DATA": data,
    } | {f"DIALER_{key.upper()}": value for key, value in more.items()}
    return tuple(assign(key, value) for key, value in wanted.items())


def recorded(number: str, variables: tuple[str, ...], expected: Expected, **more: Any) -> Case:
    return Case(straight(number), expected, application=None, data="", variables=variables, **more)


def file(name: str) -> str:
    return f"/conformance/{name}.wav"


def local(number: str, context: str = "lab-out") -> str:
    return f"Local/90{number}@{context}/n"


BUSY_B = ("BUSY", 17, 486)

CASES: dict[str, Case] = {
    # The number table.
    "00": Case(straight("00"), answered(16, talk=2.0)),
    "01": Case(straight("01"), Expected(D.BUSY, 17, 486, 0, "BUSY")),
    "02": Case(straight("02"), Expected(D.NO_ANSWER, 19, 480, 3, None, rang=True), timeout_ms=1500),
    "03": Case(straight("03"), Expected(D.CONGESTION, 34, 503, 0, "CONGESTION")),
    "04": Case(straight("04"), Expected(D.INVALID, 1, 404, 0, "NOANSWER")),
    "05": Case(straight("05"), Expected(D.NOT_AVAILABLE, 19, 480, 0, "NOANSWER")),
    "06": Case(straight("06"), answered(16, ring=5.0, talk=2.0)),
    "07": Case(straight("07"), answered(0, talk=1.0), data="1"),
    "08": Case(straight("08"), answered(16, talk=0.1)),
    "09": Case(straight("09"), Expected(D.BUSY, 17, 486, 0, "BUSY", rang=True)),
    "10": Case(straight("10"), Expected(D.BUSY, 17, 486, 0, "BUSY", rang=True)),
    "11": Case(straight("11"), Expected(D.FAILED, 21, 403, 0, "NOANSWER")),
    "57": Case(straight("57"), answered(16, talk=2.0)),
    # What never becomes a phone that rings.
    "dead": Case("PJSIP/9000@dead", Expected(D.NOT_AVAILABLE, 19, 480, 3, None), timeout_ms=1500),
    "no contact": Case("PJSIP/9000@nocontact", no_channel()),
    "no endpoint": Case("PJSIP/9000@nowhere", no_channel()),
    "no technology": Case("NoTech/9000", no_channel()),
    # Hung up by us.
    "cancel ringing": Case(
        straight("02"), Expected(D.CANCEL, 0, None, 0, "NOANSWER", rang=True), hang_on=ringing
    ),
    "cancel dead": Case(
        "PJSIP/9000@dead", Expected(D.CANCEL, 0, None, 0, "NOANSWER"), hang_on=dialed
    ),
    "hang up": Case(straight("07"), answered(0, talk=0.0), hang_on=up),
    "hang up while B rings": Case(
        straight("07"),
        answered(0, talk=0.0, leg_b=("CANCEL", 16, None)),
        "Dial",
        "PJSIP/9002@carrier,5",
        hang_on=second_rings,
    ),
    "hang up while both talk": Case(
        straight("07"),
        answered(16, talk=0.2, connected_b=True, leg_b=("ANSWER", 16, None)),
        "Dial",
        "PJSIP/9007@carrier,5",
        hang_on=bridged,
    ),
    # A second leg.
    "B answers": Case(
        straight("07"),
        answered(16, talk=2.2, connected_b=True, leg_b=("ANSWER", 16, None)),
        "Dial",
        "PJSIP/9000@carrier,20",
    ),
    "A ends first": Case(
        straight("00"),
        answered(16, talk=2.0, connected_b=True, leg_b=("ANSWER", 16, None)),
        "Dial",
        "PJSIP/9007@carrier,20",
    ),
    "A ends while B rings": Case(
        straight("08"),
        answered(16, talk=0.1, leg_b=("CANCEL", 16, None)),
        "Dial",
        "PJSIP/9002@carrier,20",
    ),
    "B busy": Case(
        straight("07"),
        answered(17, talk=0.0, sip_code=486, leg_b=BUSY_B),
        "Dial",
        "PJSIP/9001@carrier,5",
    ),
    "B rings out": Case(
        straight("07"),
        answered(0, talk=1.0, leg_b=("NOANSWER", 0, None)),
        "Dial",
        "PJSIP/9002@carrier,1",
    ),
    "B congested": Case(
        straight("07"),
        answered(34, talk=0.0, sip_code=503, leg_b=("CONGESTION", 34, 503)),
        "Dial",
        "PJSIP/9003@carrier,5",
    ),
    "B unallocated": Case(
        straight("07"),
        answered(1, talk=0.0, sip_code=404, leg_b=("NOANSWER", 1, 404)),
        "Dial",
        "PJSIP/9004@carrier,5",
    ),
    "B without contact": Case(
        straight("07"),
        answered(3, talk=0.0, sip_code=404),
        "Dial",
        "PJSIP/9000@nocontact,5",
    ),
    "A busy, B never dialed": Case(
        straight("01"), Expected(D.BUSY, 17, 486, 0, "BUSY"), "Dial", "PJSIP/9000@carrier,5"
    ),
    # Other applications.
    "ConfBridge": Case(straight("08"), answered(16, talk=0.1), "ConfBridge", "conformance"),
    "Echo": Case(straight("08"), answered(16, talk=0.1), "Echo", ""),
    "no such application": Case(straight("07"), answered(0, talk=0.0), "Nonsense", ""),
    # Recorded, through the operator's dialplan.
    "recorded Wait": recorded(
        "07", record("wait", "Wait", "1"), answered(16, talk=1.0, recording=file("wait"))
    ),
    "recorded Playback": recorded(
        "07", record("beep", "Playback", "beep"), answered(16, talk=0.4, recording=file("beep"))
    ),
    "recorded, the called party ends": recorded(
        "08", record("echo", "Echo"), answered(16, talk=0.1, recording=file("echo"))
    ),
    "recorded, hung up": recorded(
        "07",
        record("hung-up", "Wait", "60"),
        answered(0, talk=0.0, recording=file("hung-up")),
        hang_on=is_recorded,
    ),
    "recorded, in another format": recorded(
        "07",
        record("ulaw", "Wait", "1", format="ulaw"),
        answered(16, talk=1.0, recording="/conformance/ulaw.ulaw"),
    ),
    "recorded, B answers": recorded(
        "07",
        record("b-answers", "Dial", "PJSIP/9008@carrier,5", profile="bridged"),
        answered(
            16,
            talk=0.3,
            connected_b=True,
            leg_b=("ANSWER", 16, None),
            recording=file("b-answers"),
        ),
    ),
    "recorded, B busy": recorded(
        "07",
        record("b-busy", "Dial", "PJSIP/9001@carrier,5"),
        answered(17, talk=0.0, sip_code=486, leg_b=BUSY_B, recording=file("b-busy")),
    ),
    "recorded, B rings out": recorded(
        "07",
        record("b-rings", "Dial", "PJSIP/9002@carrier,1"),
        answered(16, talk=1.0, leg_b=("NOANSWER", 0, None), recording=file("b-rings")),
    ),
    "recorded, B without contact": recorded(
        "07",
        record("b-nowhere", "Dial", "PJSIP/9000@nocontact,5"),
        answered(3, talk=0.0, sip_code=404, recording=file("b-nowhere")),
    ),
    "to be recorded, busy": recorded(
        "01", record("busy", "Wait", "1"), Expected(D.BUSY, 17, 486, 0, "BUSY")
    ),
    "to be recorded, early media, then busy": recorded(
        "10", record("early", "Wait", "1"), Expected(D.BUSY, 17, 486, 0, "BUSY", rang=True)
    ),
    "to be recorded, unknown profile": recorded(
        "07",
        record("profile", "Wait", "1", profile="nobodys"),
        answered(38, talk=0.0, sip_code=500),
    ),
    "to be recorded, unknown format": recorded(
        "07",
        record("format", "Wait", "1", format="mp3"),
        answered(38, talk=0.0, sip_code=500),
    ),
    "to be recorded, out of the folder": recorded(
        "07",
        record("name", "Wait", "1", recording="../conformance/name"),
        answered(38, talk=0.0, sip_code=500),
    ),
    "recorded, unknown application": recorded(
        "07",
        record("system", "System", "true"),
        answered(38, talk=0.0, sip_code=500, recording=file("system")),
    ),
    # Local channels.
    "Local answers": Case(local("08"), answered(16, talk=0.1)),
    "Local, recorded": Case(
        local("07"),
        answered(16, talk=1.0, recording=file("local")),
        application=None,
        variables=record("local", "Wait", "1"),
    ),
    "Local ended by us": Case(local("07"), answered(0, talk=1.0), data="1"),
    "Local hung up": Case(local("07"), answered(0, talk=0.0), hang_on=up),
    "Local busy": Case(local("01"), Expected(D.BUSY, 17, 486, 0, "BUSY")),
    "Local early media, busy": Case(local("10"), Expected(D.BUSY, 17, 486, 0, "BUSY", rang=True)),
    "Local unallocated": Case(local("04"), Expected(D.INVALID, 1, 404, 0, "NOANSWER")),
    "Local rejected": Case(local("11"), Expected(D.FAILED, 21, 403, 0, "NOANSWER")),
    "Local congested": Case(local("03"), Expected(D.CONGESTION, 34, 503, 0, "CONGESTION")),
    "Local rings out": Case(
        local("02"), Expected(D.NO_ANSWER, 19, 480, 3, None, rang=True), timeout_ms=1500
    ),
    "Local without context": Case(
        local("00", "no-such-context"), Expected(D.FAILED, 0, None, 0, None)
    ),
    "Local, B answers": Case(
        local("07"),
        answered(16, talk=0.3, connected_b=True, leg_b=("ANSWER", 16, None)),
        "Dial",
        "PJSIP/9008@carrier,5",
    ),
    "Local, B busy": Case(
        local("07"), answered(17, talk=0.0, leg_b=BUSY_B), "Dial", "PJSIP/9001@carrier,5"
    ),
}
