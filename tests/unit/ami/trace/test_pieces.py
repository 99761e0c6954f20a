from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace import (
    Anonymizer,
    Beginnings,
    Direction,
    Record,
    Selection,
    split_records,
    write_note,
)
from ami.trace.pieces import Piece, breaks_stream
from ami.wire import MAX_MESSAGE

HUNG_UP = b"Event: Hangup\r\nUniqueid: 1"
PONG = b"Response: Success\nPing: Pong"
PING = b"Action: Ping\r\nActionID: 1"


def received(data: bytes, at: float | None = 1.0) -> Record:
    return Record(at, Direction.RECEIVED, data)


def names(pieces: list[Piece]) -> list[str]:
    return [piece.message.name if piece.message is not None else "" for piece in pieces]


def test_pieces_are_what_was_said_however_the_bytes_came() -> None:
    stream = b"Asterisk Call Manager/9.0\r\n" + HUNG_UP + b"\r\n\r\n" + PONG + b"\n\n"
    for size in (1, 7, 1000):
        cut = [received(stream[at : at + size], float(at)) for at in range(0, len(stream), size)]
        banner, hung_up, pong = split_records(cut)
        assert (banner.data, banner.message) == (b"Asterisk Call Manager/9.0\r\n", None)
        assert (hung_up.data, pong.data) == (HUNG_UP, PONG)
        whole = b"".join(piece.record().data for piece in (banner, hung_up, pong))
        assert whole == stream
        assert hung_up.at == next(r.at for r in cut if (r.at or 0) + size >= 27 + len(HUNG_UP) + 4)


def test_actions_are_pieces_too() -> None:
    both = PING + b"\r\n\r\n" + PING.replace(b"Ping", b"Logoff") + b"\r\n\r\n"
    ping, logoff = split_records([Record(2.0, Direction.SENT, both)])
    assert names([ping, logoff]) == ["Ping", "Logoff"]
    assert ping.message is not None
    assert (ping.message.action_id, ping.data) == ("1", PING)
    assert ping.record() == Record(2.0, Direction.SENT, PING + b"\r\n\r\n")


def test_a_gap_parts_what_stands_before_and_after() -> None:
    half = received(b"Event: Newchannel\r\nUniqueid: ")
    rest = received(HUNG_UP + b"\r\n\r\n")
    for note in ({"link": "down"}, {"gap": {"bytes": 3}}):
        pieces = list(split_records([half, write_note(2.0, note), rest]))
        assert names(pieces) == ["", "Hangup"]
    assert not breaks_stream({"link": "up"})
    banner = received(b"Asterisk Call Manager/9.0\r\n")
    assert names(list(split_records([half, banner, rest]))) == ["", "Hangup"]


def test_what_is_no_message_is_passed_over() -> None:
    endless = received(b"Event: X\r\nA: " + b"x" * MAX_MESSAGE * 2)
    stray = received(b"neither\r\n\r\n")
    assert names(list(split_records([endless, stray, received(HUNG_UP + b"\r\n\r\n")]))) == [
        "Hangup"
    ]


FRAGMENTS = st.sampled_from(
    [
        *(b"Event: ", b"Response: Success", b"Action: Originate", b"Uniqueid: 1", b"Linkedid: 1"),
        *(b"\r\n", b"\n", b"\r\n\r\n", b":", b"\xff\xc3", b"Timestamp: nan", b"Variable: A(=,\\,="),
        *(b"ChanVariable(", b'{"gap":[1]}', b"Asterisk Call Manager", b"Channel: x;2", b"\0"),
    ]
)
RECORDS = st.lists(
    st.builds(
        Record,
        st.none() | st.floats(0, 4e9),
        st.sampled_from(Direction),
        st.lists(FRAGMENTS | st.binary(max_size=8), max_size=12).map(b"".join),
    ),
    max_size=6,
)


@given(RECORDS)
@settings(max_examples=80)
def test_any_bytes_are_pieces_or_nothing(records: list[Record]) -> None:
    selection, beginnings = Selection(["1"]), Beginnings(1.0, 2e9)
    pieces = list(split_records(records))
    for piece in pieces:
        selection.learn(piece)
        beginnings.take(piece)
    again = list(split_records([piece.record() for piece in pieces]))
    assert [piece.data for piece in again if piece.message] == [p.data for p in pieces if p.message]
    assert len(list(Anonymizer(b"key").rewrite(records))) == len(pieces)
