"""Hand-built event sequences, in the order that Asterisk 22 sends them (asterisk-22.10.1
captures), for the tests of the call tracker."""

from ami.events import (
    BridgeEntered,
    CallIdTold,
    ChannelCreated,
    ChannelHungUp,
    ChannelState,
    ChannelStateChanged,
    DialBegun,
    DialEnded,
    DialProgress,
    DialProgressed,
    Event,
    OriginateAnswered,
    RecordingStarted,
)

CALL = "0198c0de-call"
ACTION = "0198c0de-action"
START = 1_000.0
OWN_CHANNEL = "PJSIP/carrier-00000001"
LEG_B = "1795219500.7"


def created(at: float, uniqueid: str = CALL, channel: str = OWN_CHANNEL) -> Event:
    return ChannelCreated(at, uniqueid, CALL, channel, ChannelState.OTHER, "Down")


def state(at: float, to: ChannelState, uniqueid: str = CALL, channel: str = OWN_CHANNEL) -> Event:
    return ChannelStateChanged(at, uniqueid, CALL, channel, to, to.value)


def ringing(at: float, uniqueid: str = CALL, channel: str = OWN_CHANNEL) -> Event:
    return state(at, ChannelState.RINGING, uniqueid, channel)


def up(at: float, uniqueid: str = CALL, channel: str = OWN_CHANNEL) -> Event:
    return state(at, ChannelState.UP, uniqueid, channel)


def dialed(
    at: float, dest: str = CALL, channel: str = OWN_CHANNEL, source: str | None = None
) -> Event:
    return DialBegun(at, source, CALL if source else None, dest, CALL, channel)


def progressed(
    at: float,
    progress: DialProgress = DialProgress.RINGING,
    dest: str = CALL,
    channel: str = OWN_CHANNEL,
    source: str | None = None,
) -> Event:
    linkedid = CALL if source else None
    return DialProgressed(at, source, linkedid, dest, CALL, channel, progress, progress.upper())


def dial_ended(
    at: float,
    status: str,
    dest: str = CALL,
    channel: str = OWN_CHANNEL,
    source: str | None = None,
) -> Event:
    return DialEnded(at, source, CALL if source else None, dest, CALL, channel, status)


def bridged(at: float, uniqueid: str, channel: str, bridge_id: str = "bridge-1") -> Event:
    return BridgeEntered(at, uniqueid, CALL, channel, bridge_id)


def recorded(
    at: float, file: str = "/var/r/call.wav", uniqueid: str = CALL, channel: str = OWN_CHANNEL
) -> Event:
    return RecordingStarted(at, uniqueid, CALL, channel, file)


def call_id_told(
    at: float, call_id: str, uniqueid: str = CALL, channel: str = OWN_CHANNEL
) -> Event:
    return CallIdTold(at, uniqueid, CALL, channel, call_id)


def hungup(
    at: float,
    cause: int | None,
    sip_code: int | None = None,
    uniqueid: str = CALL,
    channel: str = OWN_CHANNEL,
) -> Event:
    return ChannelHungUp(at, uniqueid, CALL, channel, cause, f"text of {cause}", sip_code)


def responded(
    at: float, reason: int, action_id: str | None = ACTION, uniqueid: str = CALL
) -> Event:
    success = reason == 4
    raw = "Success" if success else "Failure"
    return OriginateAnswered(at, action_id, uniqueid, success, raw, reason, OWN_CHANNEL)


def answered_call(cause: int = 16) -> list[Event]:
    """Rings at +1, answered at +3, cleared at +10."""
    return [
        created(START),
        dialed(START),
        ringing(START + 1),
        progressed(START + 1.01),
        up(START + 3),
        dial_ended(START + 3.01, "ANSWER"),
        responded(START + 3.02, 4),
        hungup(START + 10, cause),
    ]


def leg_b_call(status: str, cause: int, sip_code: int | None, own_cause: int) -> list[Event]:
    """An answered call whose `Dial` reaches leg B (`status` ANSWER) or does not."""
    channel = "PJSIP/provider1-00000002"
    calls: list[Event] = [
        created(START + 3.1, LEG_B, channel),
        dialed(START + 3.1, LEG_B, channel, CALL),
        ringing(START + 3.5, LEG_B, channel),
        progressed(START + 3.5, DialProgress.RINGING, LEG_B, channel, CALL),
    ]
    if status == "ANSWER":
        calls += [
            up(START + 4, LEG_B, channel),
            dial_ended(START + 4, status, LEG_B, channel, CALL),
            bridged(START + 4.01, LEG_B, channel),
            bridged(START + 4.02, CALL, OWN_CHANNEL),
        ]
    else:
        calls.append(dial_ended(START + 4, status, LEG_B, channel, CALL))
    calls.append(hungup(START + 9, cause, sip_code, LEG_B, channel))
    whole = answered_call(own_cause)
    return [*whole[:-1], *calls, whole[-1]]


def refused_call(
    status: str,
    cause: int,
    sip_code: int | None,
    *,
    rang: bool = False,
    progress: DialProgress = DialProgress.RINGING,
) -> list[Event]:
    """Refused by the far end (or, with status NOANSWER and cause 0, hung up by us) at +2."""
    signals = [progressed(START + 1, progress)] if rang else []
    if rang and progress is DialProgress.RINGING:
        signals.append(ringing(START + 1))
    return [
        created(START),
        dialed(START),
        *signals,
        dial_ended(START + 2, status),
        hungup(START + 2, cause, sip_code),
        responded(START + 2.01, 0),
    ]


def timed_out_call(cause: int, sip_code: int | None, *, rang: bool) -> list[Event]:
    """Our Timeout ran out at +20: no DialEnd."""
    signals = [ringing(START + 1), progressed(START + 1)] if rang else []
    return [
        created(START),
        dialed(START),
        *signals,
        responded(START + 20, 3),
        hungup(START + 20, cause, sip_code),
    ]


def local_call(
    reason: int, own_cause: int, leg_cause: int, leg_sip: int | None, *, rang: bool = False
) -> list[Event]:
    """A Local channel whose dialplan dials the carrier and is refused there."""
    first, second = "Local/9001@out-00000001;1", "Local/9001@out-00000001;2"
    half, leg, channel = f"{CALL};2", "1795219500.9", "PJSIP/carrier-00000003"
    signals = [progressed(START + 1, DialProgress.RINGING, leg, channel, half)] if rang else []
    return [
        created(START, CALL, first),
        created(START, half, second),
        dialed(START, CALL, first),
        created(START + 0.1, leg, channel),
        dialed(START + 0.1, leg, channel, half),
        *signals,
        dial_ended(START + 2, "NOANSWER", leg, channel, half),
        hungup(START + 2, leg_cause, leg_sip, leg, channel),
        hungup(START + 2.1, 20, None, half, second),
        dial_ended(START + 2.2, "NOANSWER", CALL, first),
        hungup(START + 2.3, own_cause, None, CALL, first),
        responded(START + 2.4, reason),
    ]
