"""Calls out of AMI text, in tests."""

from pathlib import Path

from ami.trace import Direction, Record
from dialer.replay.follower import Follower, TracedCall

CAPTURES = Path(__file__).parents[3] / "captures" / "asterisk-22.10.1"

ORIGINATE = (
    "Action: Originate|ActionID: a1|Channel: PJSIP/9001@carrier|ChannelId: c1|Application: Wait"
    '|Data: 60|CallerID: "Lab" <5551000>|Account: acme|Async: true'
)
CREATED = (
    "Event: Newchannel|Timestamp: 1000.0|Channel: PJSIP/carrier-00000001|ChannelState: 0"
    "|ChannelStateDesc: Down|Uniqueid: c1|Linkedid: c1"
)
DIALED = (
    "Event: DialBegin|Timestamp: 1000.1|DestChannel: PJSIP/carrier-00000001|DestUniqueid: c1"
    "|DestLinkedid: c1|DialString: 9001@carrier"
)
UP = (
    "Event: Newstate|Timestamp: 1003.0|Channel: PJSIP/carrier-00000001|ChannelState: 6"
    "|ChannelStateDesc: Up|Uniqueid: c1|Linkedid: c1"
)
SUCCESS = (
    "Event: OriginateResponse|Timestamp: 1003.1|ActionID: a1|Response: Success"
    "|Channel: PJSIP/carrier-00000001|Application: Wait|Data: 60|Reason: 4|Uniqueid: c1"
    "|CallerIDNum: 5551000|CallerIDName: Lab"
)
FAILURE = SUCCESS.replace("Success", "Failure").replace("Reason: 4", "Reason: 0")
HUNG_UP = (
    "Event: Hangup|Timestamp: 1010.5|Channel: PJSIP/carrier-00000001|Uniqueid: c1|Linkedid: c1"
    "|Cause: 16|Cause-txt: Normal Clearing"
)


def encode(*messages: str) -> bytes:
    """Messages written with `|` between their lines, as bytes of the wire."""
    return "".join(m.replace("|", "\r\n") + "\r\n\r\n" for m in messages).encode()


def record(*messages: str, at: float | None = None) -> Record:
    """What came in one piece; an Action makes it sent."""
    direction = Direction.SENT if messages[0].startswith("Action") else Direction.RECEIVED
    return Record(at, direction, encode(*messages))


def follow(*messages: str, follower: Follower | None = None) -> list[TracedCall]:
    """The calls of a trace that holds these messages, its own timestamps for a clock."""
    follower = follower or Follower()
    calls = [call for message in messages for call in follower.feed(record(message))]
    return calls + list(follower.finish())
