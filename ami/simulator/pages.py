"""The texts of the simulated Asterisk: every event and response, header for header as captured
from Asterisk 22.10.1 (tests/captures)."""

from typing import Final

from ami.causes import cause_text
from ami.simulator.channels import Channel

_STATES: Final = {0: "Down", 4: "Ring", 5: "Ringing", 6: "Up"}
_END: Final = "\r\n"


def write_channel(channel: Channel, prefix: str = "") -> str:
    """A channel's block of headers, with `Dest` before each where `prefix` says so."""
    c = channel
    p = prefix
    return (
        f"{p}Channel: {c.name}\r\n"
        f"{p}ChannelState: {c.state}\r\n"
        f"{p}ChannelStateDesc: {_STATES[c.state]}\r\n"
        f"{p}CallerIDNum: {c.number}\r\n"
        f"{p}CallerIDName: {c.caller_name}\r\n"
        f"{p}ConnectedLineNum: {c.connected}\r\n"
        f"{p}ConnectedLineName: {c.connected_name}\r\n"
        f"{p}Language: en\r\n"
        f"{p}AccountCode: {c.account}\r\n"
        f"{p}Context: {c.context}\r\n"
        f"{p}Exten: {c.exten}\r\n"
        f"{p}Priority: {c.priority}\r\n"
        f"{p}Uniqueid: {c.uniqueid}\r\n"
        f"{p}Linkedid: {c.linkedid}\r\n"
    )


def write_event(name: str, at: float, body: str, privilege: str = "call,all") -> str:
    return f"Event: {name}\r\nPrivilege: {privilege}\r\nTimestamp: {at:.6f}\r\n{body}\r\n"


def write_dial(source: Channel | None, dest: Channel) -> str:
    """Whom a dial event is about; an originate's own dial has no source."""
    return (write_channel(source) if source is not None else "") + write_channel(dest, "Dest")


def write_recording(channel: Channel, file: str) -> str:
    """The dialplan's UserEvent, whose own headers follow those of its channel."""
    return f"{write_channel(channel)}UserEvent: DialerRecording\r\nFile: {file}\r\n"


def write_call_id(channel: Channel) -> str:
    """The UserEvent of a hangup handler (dialer-call-id.conf), which runs in a place of its own."""
    place = (channel.context, channel.exten, channel.priority)
    channel.context, channel.exten, channel.priority = "dialer-call-id", "s", 1
    told = f"{write_channel(channel)}UserEvent: DialerCallId\r\nCallId: {channel.sip_call_id}\r\n"
    channel.context, channel.exten, channel.priority = place
    return told


def write_hangup(channel: Channel, cause: int, sip_code: int | None) -> str:
    tech = f"TechCause: {sip_code}\r\n" if sip_code is not None else ""
    head = f"Cause: {cause}\r\nCause-txt: {cause_text(cause)}\r\n"
    return f"{write_channel(channel)}{head}{tech}"


def write_bridge(channel: Channel, bridge_id: str, members: int, room: str | None = None) -> str:
    """BridgeEnter's body, of Dial's bridge of two or of a conference."""
    kind = ("base", "softmix", "ConfBridge", room) if room else ("basic", "simple_bridge", "", "")
    creator = kind[2] or "<unknown>"
    return (
        f"BridgeUniqueid: {bridge_id}\r\nBridgeType: {kind[0]}\r\nBridgeTechnology: {kind[1]}\r\n"
        f"BridgeCreator: {creator}\r\nBridgeName: {kind[3] or '<unknown>'}\r\n"
        f"BridgeNumChannels: {members}\r\nBridgeVideoSourceMode: none\r\n{write_channel(channel)}"
    )


def write_listed(action_id: str, channel: Channel, now: float) -> str:
    """CoreShowChannel: an item of a list, without Privilege and Timestamp."""
    seconds = max(0, int(now - channel.created_at))
    duration = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return (
        f"Event: CoreShowChannel\r\n{write_action_id(action_id)}{write_channel(channel)}"
        f"Application: {channel.application}\r\nApplicationData: {channel.data}\r\n"
        f"Duration: {duration}\r\nBridgeId: {channel.bridge}\r\n\r\n"
    )


def write_action_id(action_id: str) -> str:
    return f"ActionID: {action_id}\r\n" if action_id else ""


def write_response(word: str, action_id: str, *lines: str) -> str:
    """A response: Success or Error, the ActionID where one was given, and further lines."""
    body = "".join(f"{line}{_END}" for line in lines)
    return f"Response: {word}\r\n{write_action_id(action_id)}{body}\r\n"


def write_booted(uptime: float) -> str:
    """FullyBooted as a session gets it after its login: without Timestamp."""
    seconds = int(uptime)
    return (
        f"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: {seconds}\r\n"
        f"LastReload: {seconds}\r\nStatus: Fully Booted\r\n\r\n"
    )


def write_shutdown(*, clean: bool, restart: bool) -> str:
    return f"Shutdown: {'Cleanly' if clean else 'Uncleanly'}\r\nRestart: {restart}\r\n"
