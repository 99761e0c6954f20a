from collections.abc import Iterable

import pytest

from ami.trace import Beginnings, Direction, Piece, Record, Selection, moment_of, split_records
from ami.trace.pieces import BANNER


def pieces(*messages: str) -> list[Piece]:
    """Messages written with `|` between their lines; an Action was sent."""
    records = [
        Record(
            float(at),
            Direction.SENT if text.startswith("Action") else Direction.RECEIVED,
            (text.replace("|", "\r\n") + "\r\n\r\n").encode(),
        )
        for at, text in enumerate(messages, 1)
    ]
    return list(split_records(records))


def choose(said: list[Piece], *calls: str) -> list[int]:
    """Which pieces belong to these calls: their places in the trace."""
    selection = Selection(calls)
    while sum(selection.learn(piece) for piece in said):
        pass
    return [int(piece.at or 0) for piece in said if selection.wants(piece)]


def test_a_call_is_all_its_legs_its_bridges_and_what_was_asked_of_it() -> None:
    said = pieces(
        "Event: Newchannel|Uniqueid: x1|Linkedid: x1|Channel: SIP/x-1",
        "Action: Originate|ActionID: a1|ChannelId: c1|Channel: SIP/x",
        "Response: Success|ActionID: a1",
        "Event: Newchannel|Uniqueid: c1|Linkedid: c1|Channel: SIP/x-2",
        "Event: BridgeCreate|BridgeUniqueid: b1",
        "Event: BridgeEnter|BridgeUniqueid: b1|Uniqueid: c1|Linkedid: c1|Channel: SIP/x-2",
        "Event: DialBegin|Uniqueid: c1|Linkedid: c1|DestUniqueid: d1|DestLinkedid: c1",
        "Event: Newstate|Uniqueid: d1|Linkedid: d1|Channel: SIP/y-1",
        "Action: Hangup|ActionID: h1|Channel: SIP/x-2",
        "Response: Success|ActionID: h1",
        "Action: Hangup|ActionID: h2|Channel: SIP/x-1",
        "Response: Success|ActionID: h2",
        "Event: BridgeDestroy|BridgeUniqueid: b1",
        "Event: OriginateResponse|ActionID: a1|Response: Failure|Uniqueid: <null>",
        "Event: Hangup|Uniqueid: c1|Linkedid: c1",
    )
    assert choose(said, "c1") == [2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15]
    assert choose(said, "d1") == choose(said, "c1")
    assert choose(said, "x1") == [1, 11, 12]
    assert choose(said, "nobody") == []


def test_an_originate_without_channel_id_is_found_by_its_response() -> None:
    said = pieces(
        "Action: Originate|ActionID: a1|Channel: SIP/x",
        "Action: Originate|ActionID: a2|Channel: SIP/x",
        "Event: OriginateResponse|ActionID: a2|Uniqueid: 1.1",
    )
    assert choose(said, "1.1") == [2, 3]


def test_calls_that_another_s_message_names_stay_apart() -> None:
    said = pieces(
        "Event: Newchannel|Uniqueid: c1|Linkedid: c1|Channel: SIP/x-1",
        "Event: Newchannel|Uniqueid: c2|Linkedid: c2|Channel: SIP/x-2",
        "Event: AttendedTransfer|OrigTransfererUniqueid: c1|SecondTransfererUniqueid: c2",
        "Event: Hangup|Uniqueid: c2|Linkedid: c2",
    )
    assert choose(said, "c1") == [1, 3]


def test_halves_of_local_channels_of_an_old_asterisk() -> None:
    said = pieces(
        "Event: Newchannel|Uniqueid: 1.0|Channel: Local/9@x-1;1",
        "Event: Newchannel|Uniqueid: 1.1|Channel: Local/9@x-1;2",
        "Event: Dial|SubEvent: Begin|UniqueID: 1.1|DestUniqueID: 1.2",
        "Event: Newchannel|Uniqueid: 1.3|Channel: Local/9@x-2;2",
        "Event: Hangup|Uniqueid: 1.2|Channel: SIP/9-1",
    )
    assert choose(said, "1.0") == [1, 2, 3, 5]


def test_what_tells_of_the_session_belongs_to_every_call() -> None:
    said = pieces("Event: FullyBooted|Uptime: 5", "Event: Shutdown", "Event: PeerStatus")
    assert choose(said, "c1") == [1, 2]
    banner = Piece(1.0, Direction.RECEIVED, BANNER, None)
    assert Selection(["c1"]).wants(banner)
    assert not Selection(["c1"]).learn(banner)


def begun(said: Iterable[Piece], since: float | None, until: float | None) -> set[str]:
    beginnings = Beginnings(since, until)
    for piece in said:
        beginnings.take(piece)
    return beginnings.ids


@pytest.mark.parametrize(
    ("since", "until", "ids"),
    [
        (None, None, {"c1", "c2", "c3", "c4"}),
        (2.0, 3.0, {"c2"}),
        (3.0, None, {"c3", "c4"}),
        (None, 2.0, {"c1"}),
    ],
)
def test_calls_that_began_in_a_window(
    since: float | None, until: float | None, ids: set[str]
) -> None:
    said = pieces(
        "Event: Newchannel|Uniqueid: c1|Linkedid: c1",
        "Action: Originate|ActionID: a2|ChannelId: c2",
        "Event: Newchannel|Uniqueid: c3",
        "Event: Newchannel|Uniqueid: c2|Linkedid: c2",
        "Event: Newchannel|Uniqueid: leg|Linkedid: c1",
        "Event: OriginateResponse|ActionID: a4|Uniqueid: c4|Response: Failure",
        "Event: OriginateResponse|ActionID: a1|Uniqueid: c1|Response: Success",
        "Event: OriginateResponse|ActionID: a5|Uniqueid: <null>|Response: Failure",
    )
    assert begun(said, since, until) == ids


def test_asterisk_s_own_time_is_when_it_happened() -> None:
    (late,) = pieces("Event: Newchannel|Timestamp: 0.5|Uniqueid: c1")
    (odd,) = pieces("Event: Newchannel|Timestamp: soon|Uniqueid: c1")
    assert (moment_of(late), moment_of(odd)) == (0.5, 1.0)
    assert [
        moment_of(p) for p in pieces("Event: X|Timestamp: nan", "Event: X|Timestamp: 9e99")
    ] == [
        1.0,
        2.0,
    ]
    unknown = [Piece(None, late.direction, odd.data, odd.message)]
    assert (begun(unknown, None, None), begun(unknown, 0.0, None)) == ({"c1"}, set())
