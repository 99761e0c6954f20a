"""The calls and questions whose AMI traffic is worth having: one function each."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.lab.raw_ami import Message, RawAmi

Scenario = Callable[[RawAmi, str], Awaitable[None]]
"""Drives one scenario on a logged-in session; the text is the prefix of the scenario's ids."""

# What the carrier does, by the number's last two digits. 02 rings for ever: it needs a timeout.
ENDINGS = {
    "00": "answer",
    "01": "busy",
    "03": "congestion",
    "04": "unallocated",
    "05": "unavailable",
    "06": "slow_answer",
    "07": "long_talk",
    "08": "drop_at_once",
    "09": "ring_then_busy",
    "10": "early_media_busy",
    "11": "reject",
}


def originate(
    ami: RawAmi,
    name: str,
    channel: str,
    application: tuple[str, str] = ("Wait", "60"),
    timeout: int = 20_000,
    channel_id: str = "",
) -> None:
    """Writes an Originate with ActionID `<name>-action` and ChannelId `<name>-channel`."""
    headers = {
        "ActionID": f"{name}-action",
        "Channel": channel,
        "Application": application[0],
        "Data": application[1],
        "Timeout": str(timeout),
        "CallerID": '"Lab" <5551000>',
        "ChannelId": channel_id or f"{name}-channel",
        "Async": "true",
    }
    ami.send("Originate", headers)


def has_answered(name: str) -> Callable[[Message], bool]:
    return lambda m: m.event == "OriginateResponse" and m["ActionID"] == f"{name}-action"


def is_quiet(ami: RawAmi) -> bool:
    """Is every channel that appeared gone, and every Originate sent answered for?"""
    begun = {m["Uniqueid"] for m in ami.messages if m.event == "Newchannel"}
    gone = {m["Uniqueid"] for m in ami.messages if m.event == "Hangup"}
    asked = bytes(ami.sent).count(b"Action: Originate\r\n")
    answered = sum(m.event == "OriginateResponse" for m in ami.messages)
    return begun <= gone and answered >= asked


async def settle(ami: RawAmi) -> None:
    """Waits for the end of all calls, then for the last stragglers."""
    await ami.until(is_quiet, 60)
    await asyncio.sleep(0.2)
    await ami.until(is_quiet, 60)


def dial(
    channel: str, application: tuple[str, str] = ("Wait", "60"), timeout: int = 20_000
) -> Scenario:
    """A scenario of one Originate, followed to its end."""

    async def run(ami: RawAmi, name: str) -> None:
        originate(ami, name, channel, application, timeout)
        await settle(ami)

    return run


def ask(action: str, **headers: str) -> Scenario:
    """A scenario of one action with a single response."""

    async def run(ami: RawAmi, name: str) -> None:
        await ami.ask(action, {"ActionID": f"{name}-action", **headers})

    return run


async def hang_up(ami: RawAmi, name: str) -> None:
    await ami.ask("Hangup", {"ActionID": f"{name}-hangup", "Channel": f"{name}-channel"})


def is_ringing(message: Message) -> bool:
    return message.event == "Newstate" and message["ChannelStateDesc"] == "Ringing"


async def hangup_ringing(ami: RawAmi, name: str) -> None:
    originate(ami, name, "PJSIP/9002@carrier")
    await ami.first(is_ringing)
    await hang_up(ami, name)
    await settle(ami)


async def hangup_answered(ami: RawAmi, name: str) -> None:
    originate(ami, name, "PJSIP/9007@carrier")
    await ami.first(has_answered(name))
    await hang_up(ami, name)
    await settle(ami)


async def hangup_with_cause(ami: RawAmi, name: str) -> None:
    originate(ami, name, "PJSIP/9002@carrier")
    await ami.first(is_ringing)
    headers = {"ActionID": f"{name}-hangup", "Channel": f"{name}-channel", "Cause": "16"}
    await ami.ask("Hangup", headers)
    await settle(ami)


async def duplicate_channel_id(ami: RawAmi, name: str) -> None:
    originate(ami, name, "PJSIP/9000@carrier")
    await ami.first(is_ringing)
    originate(ami, f"{name}-second", "PJSIP/9000@carrier", channel_id=f"{name}-channel")
    await settle(ami)


async def prefix_channel_id(ami: RawAmi, name: str) -> None:
    """An id that is a prefix of a live one, in another case."""
    originate(ami, name, "PJSIP/9000@carrier")
    await ami.first(is_ringing)
    originate(ami, f"{name}-second", "PJSIP/9000@carrier", channel_id=f"{name}-CHAN")
    await settle(ami)


async def same_id_again(ami: RawAmi, name: str) -> None:
    """The same id after the first call's end: it dials."""
    originate(ami, name, "PJSIP/9001@carrier")
    await settle(ami)
    originate(ami, f"{name}-second", "PJSIP/9001@carrier", channel_id=f"{name}-channel")
    await settle(ami)


async def core_show_channels(ami: RawAmi, name: str) -> None:
    """The list while three calls live: one answered, one ringing, one with two legs."""
    channels = ("PJSIP/9007@carrier", "PJSIP/9002@carrier", "PJSIP/9007@carrier")
    runs = (("Wait", "60"), ("Wait", "60"), ("Dial", "PJSIP/9007@carrier,20"))
    for index, (channel, application) in enumerate(zip(channels, runs, strict=True)):
        originate(ami, f"{name}-{index}", channel, application)
    await ami.until(lambda s: sum(m.event == "BridgeEnter" for m in s.messages) == 2)
    await ami.until(lambda s: any(map(is_ringing, s.messages)))
    await ami.until(lambda s: any(map(has_answered(f"{name}-0"), s.messages)))
    await show_channels(ami, name)
    for index in range(3):
        await hang_up(ami, f"{name}-{index}")
    await settle(ami)


async def show_channels(ami: RawAmi, name: str) -> None:
    ami.send("CoreShowChannels", {"ActionID": f"{name}-list"})
    await ami.first(lambda m: m.event == "CoreShowChannelsComplete")


async def hold_channel(ami: RawAmi, name: str) -> None:
    """Two ids for a Local channel: ours for ;1 and OtherChannelId for ;2."""
    headers = {
        "ActionID": f"{name}-action",
        "Channel": "Local/9000@lab-out/n",
        "Application": "Wait",
        "Data": "60",
        "Timeout": "20000",
        "ChannelId": f"{name}-channel",
        "OtherChannelId": f"{name}-other",
        "Async": "true",
    }
    ami.send("Originate", headers)
    await settle(ami)


def record(
    channel: str,
    application: tuple[str, str] = ("Wait", "1"),
    profile: str = "default",
    file: str = "",
) -> Scenario:
    """A scenario of one call through the operator's recording context. `file`: the recording's
    name, `captures/<scenario>` where none is given."""

    async def run(ami: RawAmi, name: str) -> None:
        headers = [
            ("ActionID", f"{name}-action"),
            ("Channel", channel),
            ("ChannelId", f"{name}-channel"),
            ("Context", "dialer-recording"),
            ("Exten", "s"),
            ("Priority", "1"),
            ("Timeout", "20000"),
            ("CallerID", '"Lab" <5551000>'),
            ("Async", "true"),
            ("Variable", f"DIALER_RECORDING={file or f'captures/{name}'}"),
            ("Variable", "DIALER_FORMAT=wav"),
            ("Variable", f"DIALER_PROFILE={profile}"),
            ("Variable", f"DIALER_APPLICATION={application[0]}"),
            ("Variable", "DIALER_DATA=" + application[1].replace(",", "\\,")),
        ]
        ami.send("Originate", headers)
        await settle(ami)

    return run


async def recorded_no_context(ami: RawAmi, name: str) -> None:
    """Refused at once: the server has no recording context."""
    place = {"Context": "no-such-context", "Exten": "s", "Priority": "1"}
    headers = {"ActionID": f"{name}-action", "Channel": "PJSIP/9000@carrier", "Async": "true"}
    await ami.ask("Originate", headers | place)


SCENARIOS: dict[str, Scenario] = {
    **{f"{ending}_{does}": dial(f"PJSIP/90{ending}@carrier") for ending, does in ENDINGS.items()},
    "02_ring_timeout": dial("PJSIP/9002@carrier", timeout=3000),
    "answer_then_our_end": dial("PJSIP/9007@carrier", ("Wait", "1")),
    "dead_trunk": dial("PJSIP/9000@dead", timeout=3000),
    "dead_trunk_32s": dial("PJSIP/9000@dead", timeout=60_000),
    "no_contact": dial("PJSIP/9000@nocontact"),
    "unknown_endpoint": dial("PJSIP/9000@no-such-endpoint"),
    "unknown_technology": dial("NoTech/9000"),
    "duplicate_channel_id": duplicate_channel_id,
    "prefix_channel_id": prefix_channel_id,
    "same_id_again": same_id_again,
    "hangup_ringing": hangup_ringing,
    "hangup_ringing_cause_16": hangup_with_cause,
    "hangup_answered": hangup_answered,
    "dial_leg_b_answer": dial("PJSIP/9007@carrier", ("Dial", "PJSIP/9000@carrier,20")),
    "dial_leg_b_busy": dial("PJSIP/9007@carrier", ("Dial", "PJSIP/9001@carrier,5")),
    "dial_leg_b_no_answer": dial("PJSIP/9007@carrier", ("Dial", "PJSIP/9002@carrier,2")),
    "dial_leg_b_unallocated": dial("PJSIP/9007@carrier", ("Dial", "PJSIP/9004@carrier,5")),
    "dial_leg_a_ends_first": dial("PJSIP/9000@carrier", ("Dial", "PJSIP/9007@carrier,20")),
    "dial_leg_a_ends_while_b_rings": dial("PJSIP/9000@carrier", ("Dial", "PJSIP/9002@carrier,20")),
    "dial_leg_a_busy": dial("PJSIP/9001@carrier", ("Dial", "PJSIP/9000@carrier,20")),
    "local_answer": dial("Local/9000@lab-out/n"),
    "local_answer_optimized": dial("Local/*9007@lab-out", ("Dial", "PJSIP/*9000@carrier,20")),
    "local_busy": dial("Local/9001@lab-out/n"),
    "local_ring_timeout": dial("Local/9002@lab-out/n", timeout=2000),
    "local_unallocated": dial("Local/9004@lab-out/n"),
    "local_dial_leg_b_answer": dial("Local/9007@lab-out/n", ("Dial", "PJSIP/9000@carrier,20")),
    "local_other_channel_id": hold_channel,
    "local_no_such_context": dial("Local/9000@no-such-context/n"),
    "key_pressed": dial("PJSIP/*9000@carrier"),
    "playback": dial("PJSIP/9007@carrier", ("Playback", "beep")),
    "queue": dial("PJSIP/9000@carrier", ("Queue", "lab,,,,10")),
    "recorded_dial": record("PJSIP/9007@carrier", ("Dial", "PJSIP/*9000@carrier,20")),
    "recorded_dial_bridged": record(
        "PJSIP/9007@carrier", ("Dial", "PJSIP/9008@carrier,20"), "bridged"
    ),
    "recorded_dial_leg_b_busy": record("PJSIP/9007@carrier", ("Dial", "PJSIP/9001@carrier,5")),
    "recorded_dial_leg_b_no_answer": record("PJSIP/9007@carrier", ("Dial", "PJSIP/9002@carrier,2")),
    "recorded_dial_leg_b_no_contact": record(
        "PJSIP/9007@carrier", ("Dial", "PJSIP/9000@nocontact,2")
    ),
    "recorded_early_media_busy": record("PJSIP/9010@carrier"),
    "recorded_wait": record("PJSIP/9007@carrier"),
    "recorded_far_end_clears": record("PJSIP/9008@carrier", ("Echo", "")),
    "recorded_playback": record("PJSIP/9007@carrier", ("Playback", "beep")),
    "recorded_local": record("Local/9007@lab-out/n"),
    "recorded_unknown_profile": record("PJSIP/9007@carrier", profile="nobodys"),
    "recorded_unknown_application": record("PJSIP/9007@carrier", ("System", "true")),
    "recorded_bad_name": record("PJSIP/9007@carrier", file="../captures/away"),
    "recorded_no_context": recorded_no_context,
    "core_show_channels": core_show_channels,
    "core_show_channels_empty": show_channels,
    "core_status": ask("CoreStatus"),
    "core_settings": ask("CoreSettings"),
    "ping": ask("Ping"),
    "no_privilege": ask("Command", Command="core show version"),
    "unknown_action": ask("NoSuchAction"),
    "hangup_unknown_channel": ask("Hangup", Channel="no-such-channel-id"),
    "originate_refused_application": ask(
        "Originate", Channel="PJSIP/9000@carrier", Application="System", Data="true", Async="true"
    ),
    "originate_no_channel": ask("Originate", Application="Wait", Data="1", Async="true"),
}
