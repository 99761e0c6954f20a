"""Asterisk over AMI: a supervised link, typed actions, events as values, and a call tracker.

It knows Asterisk and no business. What is named here is all that other packages use,
and for recorded traffic `ami.trace`.
"""

from ami.actions import Action, Hangup, Originate, assign, serialize
from ami.calls import CallTracker
from ami.causes import Disposition, Evidence, cause_of_sip, cause_text, decide_disposition
from ami.client import Address, AmiClient, LinkChange, LinkTap, ServerStatus, Timing
from ami.errors import (
    ActionInvalid,
    ActionRejected,
    ActionTimeout,
    AmiError,
    LinkDown,
    LinkLost,
    LoginRefused,
    MessageTooLong,
    ProtocolBroken,
)
from ami.events import (
    BridgeEntered,
    CallIdTold,
    ChannelCreated,
    ChannelEvent,
    ChannelHungUp,
    ChannelState,
    ChannelStateChanged,
    DialBegun,
    DialEnded,
    DialProgress,
    DialProgressed,
    Event,
    LiveChannel,
    OriginateAnswered,
    RecordingStarted,
    ServerBooted,
    ServerShutdown,
)
from ami.fields import Fields
from ami.inspection import NO_EXTENSION, UNWANTED, ServerReport, inspect_server
from ami.link import Backoff, LinkState
from ami.reports import CallEffect, CallEnded, CallProgressed, CallReport, LegB, OpenCall, Progress
from ami.reserved import find_evaluated, is_reserved
from ami.translate import WANTED, live_channels, translate
from ami.wire import Decoder, Kind, Message, parse_message

__all__ = [
    "NO_EXTENSION",
    "UNWANTED",
    "WANTED",
    "Action",
    "ActionInvalid",
    "ActionRejected",
    "ActionTimeout",
    "Address",
    "AmiClient",
    "AmiError",
    "Backoff",
    "BridgeEntered",
    "CallEffect",
    "CallEnded",
    "CallIdTold",
    "CallProgressed",
    "CallReport",
    "CallTracker",
    "ChannelCreated",
    "ChannelEvent",
    "ChannelHungUp",
    "ChannelState",
    "ChannelStateChanged",
    "Decoder",
    "DialBegun",
    "DialEnded",
    "DialProgress",
    "DialProgressed",
    "Disposition",
    "Event",
    "Evidence",
    "Fields",
    "Hangup",
    "Kind",
    "LegB",
    "LinkChange",
    "LinkDown",
    "LinkLost",
    "LinkState",
    "LinkTap",
    "LiveChannel",
    "LoginRefused",
    "Message",
    "MessageTooLong",
    "OpenCall",
    "Originate",
    "OriginateAnswered",
    "Progress",
    "ProtocolBroken",
    "RecordingStarted",
    "ServerBooted",
    "ServerReport",
    "ServerShutdown",
    "ServerStatus",
    "Timing",
    "assign",
    "cause_of_sip",
    "cause_text",
    "decide_disposition",
    "find_evaluated",
    "inspect_server",
    "is_reserved",
    "live_channels",
    "parse_message",
    "serialize",
    "translate",
]
