"""Invariant: any bytes give messages or ProtocolBroken, never anything else, and the same ones
however the bytes are cut into chunks."""

import itertools
import re
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ami import wire
from ami.errors import MessageTooLong, ProtocolBroken
from ami.wire import Decoder, Kind, Message, parse_message

HANGUP = (
    b"Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/carrier-00000001\r\n"
    b"Uniqueid: a-1\r\nCause: 17\r\nAccountCode: \r\n\r\n"
)
SUCCESS = b"Response: Success\r\nActionID: x-1\r\nMessage: Originate successfully queued\r\n\r\n"


def feed_all(decoder: Decoder, chunks: Iterable[bytes]) -> tuple[list[Message], bool]:
    """The messages that came, and whether the decoder broke off."""
    messages: list[Message] = []
    try:
        for chunk in chunks:
            messages += decoder.feed(chunk)
    except MessageTooLong as broken:
        return [*messages, *broken.messages], True
    return messages, False


def one_by_one(data: bytes) -> Iterable[bytes]:
    return (data[place : place + 1] for place in range(len(data)))


def read(data: bytes, wanted: frozenset[str] | None = None) -> list[Message]:
    """What `data` gives, the same whole and byte by byte."""
    whole = feed_all(Decoder(wanted=wanted), [data])
    assert feed_all(Decoder(wanted=wanted), one_by_one(data)) == whole
    messages, broken = whole
    assert not broken
    return messages


def names(messages: list[Message]) -> list[str]:
    return [message.name for message in messages]


def test_an_event_and_a_response() -> None:
    event, response = read(HANGUP + SUCCESS)
    assert (event.kind, event.name) == (Kind.EVENT, "Hangup")
    assert (response.kind, response.name) == (Kind.RESPONSE, "Success")
    assert event.get("Cause") == "17"
    assert response.action_id == "x-1"
    assert event.headers[0] == ("Event", "Hangup")
    assert event.raw == HANGUP[:-4]


@pytest.mark.parametrize(
    ("greeting", "banner"),
    [
        (b"Asterisk Call Manager/11.0.0\r\n", "Asterisk Call Manager/11.0.0"),
        (b"Asterisk Call Manager/1.1\n", "Asterisk Call Manager/1.1"),
        (b"", None),
    ],
)
def test_greeting_line_or_none(greeting: bytes, banner: str | None) -> None:
    decoder = Decoder()
    messages, _ = feed_all(decoder, one_by_one(greeting + HANGUP))
    assert names(messages) == ["Hangup"]
    assert decoder.banner == banner


@pytest.mark.parametrize(
    "data",
    [
        HANGUP + SUCCESS,
        (HANGUP + SUCCESS).replace(b"\r\n", b"\n"),
        HANGUP[:-2] + b"\n" + SUCCESS,
        HANGUP + b"\r\n\r\n\n" + SUCCESS,
        b"\r\n\n" + HANGUP + SUCCESS[:-2] + b"\n\r\n",
        HANGUP.replace(b"\r\n", b"\n") + SUCCESS,
        HANGUP + SUCCESS.replace(b"\r\n", b"\n"),
        HANGUP.replace(b"\r\n", b"\n")[:-1] + b"\r\n" + SUCCESS,
    ],
    ids=["crlf", "lf", "crlf-lf", "blanks", "all-odd", "lf-crlf", "crlf-then-lf", "lf-crlf-end"],
)
def test_line_ends_of_every_kind(data: bytes) -> None:
    event, response = read(data)
    assert (event.name, event.get("Cause")) == ("Hangup", "17")
    assert (response.name, response.action_id) == ("Success", "x-1")
    assert response.get("message") == "Originate successfully queued"


@pytest.mark.parametrize(
    "between",
    [b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"noise\r\n\r\n", b"event:X\r\n\r\n", b"Event: X\n\r\n"],
)
def test_odd_bytes_between_plain_messages(between: bytes) -> None:
    plain = HANGUP + SUCCESS
    wanted = frozenset({"Hangup"})
    messages = read(between + plain + between + plain, wanted)
    assert names(messages) == ["Hangup", "Success"] * 2
    assert {message.raw for message in messages} == {HANGUP[:-4], SUCCESS[:-4]}


def test_a_message_cut_by_a_chunk_is_between_its_neighbours() -> None:
    data = (HANGUP + SUCCESS) * 3
    for cut in range(len(data)):
        chunks = [data[:cut], data[cut : cut + 300], data[cut + 300 :]]
        assert feed_all(Decoder(), chunks) == feed_all(Decoder(), [data])


def test_a_bare_line_feed_belongs_to_the_value() -> None:
    (message, last) = read(
        b"Event: X\r\nA: one\n\nCause: 99\r\nCause: 16\r\n\r\n"
        b"Response: Error\r\nMessage: Uniqueid length exceeds maximum of 149\n\r\n\r\n"
    )
    assert message.get("a") == "one\n\nCause: 99"
    assert message.get("cause") == "16"
    assert last.get("Message") == "Uniqueid length exceeds maximum of 149"


def test_a_character_cut_by_a_chunk_is_whole() -> None:
    (message,) = read("Event: X\r\nCallerIDName: Zoë 김철수 😀\r\n\r\n".encode())
    assert message.get("calleridname") == "Zoë 김철수 😀"


def test_bytes_that_are_no_utf8_are_shown_not_dropped() -> None:
    (message,) = read(b"Event: X\r\nCallerIDName: M\xfcller\r\n\r\n")
    assert message.get("CallerIDName") == "M\ufffdller"


def test_line_separators_of_unicode_end_no_line() -> None:
    (message,) = read("Event: X\r\nA: 1\u2028B: 2\x85C: 3\x0bD: 4\r\n\r\n".encode())
    assert message.get("A") == "1\u2028B: 2\x85C: 3\x0bD: 4"
    assert message.get("B", "none") == "none"


def test_header_spellings() -> None:
    (message,) = read(b"Event: X\r\nAppData: a: b\r\nEMPTY:\r\nBlank: \r\ntight:x: y\r\nzz\r\n\r\n")
    assert message.get("APPDATA") == "a: b"
    assert message.get("empty", "default") == ""
    assert message.get("blank", "default") == ""
    assert message.get("Tight") == "x: y"
    assert message.get("zz", "default") == "default"


def test_only_one_blank_after_the_colon_is_ours() -> None:
    (message,) = read(b"Event: X\r\nCallerIDName:  Bob \r\n\r\n")
    assert message.get("CallerIDName") == " Bob "


def test_repeated_headers_keep_their_order_and_the_first_counts() -> None:
    (message,) = read(b"Event: X\r\nChanVariable: a=1\r\nOther: o\r\nchanvariable: b=2\r\n\r\n")
    assert message.all("ChanVariable") == ("a=1", "b=2")
    assert message.get("ChanVariable") == "a=1"
    assert message.all("missing") == ()


def test_old_command_output_stays_one_message() -> None:
    first, second = read(
        b"Response: Follows\r\nPrivilege: Command\r\nActionID: c-1\r\n"
        b"Channel  Location\n\n0 active channels: none\n--END COMMAND--\r\n\r\n" + HANGUP
    )
    assert (first.name, first.action_id) == ("Follows", "c-1")
    assert second.name == "Hangup"


@pytest.mark.parametrize(
    "data",
    [
        b"event: OriginateResponse\r\nResponse: Failure\r\n\r\n",
        b"Event:OriginateResponse\r\nResponse: Failure\r\n\r\n",
        b"ActionID: x\r\nResponse: Failure\r\nEvent: OriginateResponse\r\n\r\n",
        b"Event: OriginateResponse\r\nResponse: Failure\r\n\r\n",
    ],
)
def test_an_event_that_has_a_response_header_is_an_event(data: bytes) -> None:
    (message,) = read(data, wanted=frozenset({"OriginateResponse"}))
    assert (message.kind, message.name) == (Kind.EVENT, "OriginateResponse")
    assert read(data, wanted=frozenset({"Hangup"})) == []


def test_events_that_are_not_wanted_are_passed_over_and_counted() -> None:
    decoder = Decoder(wanted=frozenset({"Hangup"}))
    varset = b"Event: VarSet\r\nVariable: A\r\n\r\n"
    assert names(decoder.feed(varset + HANGUP + varset + SUCCESS)) == ["Hangup", "Success"]
    assert (decoder.passed_over, decoder.strays) == (2, 0)


@pytest.mark.parametrize("first", [b"Event: UserEvent", b"event:UserEvent"])
def test_of_events_of_one_name_only_those_with_a_line_may_be_wanted(first: bytes) -> None:
    ours = first + b"\r\nUserEvent: Ours\r\nA: 1\r\n\r\n"
    others = first + b"\r\nUserEvent: Theirs\r\nA: 2\r\n\r\n"
    wanted = frozenset({"Hangup", "UserEvent: Ours"})
    assert names(read(others + ours + HANGUP, wanted)) == ["UserEvent", "Hangup"]
    decoder = Decoder(wanted=wanted)
    assert decoder.feed(others * 3) == []
    assert decoder.passed_over == 3


def test_a_block_that_is_no_message_is_counted() -> None:
    decoder = Decoder()
    assert names(decoder.feed(b"What: is this\r\n\r\nnoise\r\n\r\n" + HANGUP)) == ["Hangup"]
    assert decoder.strays == 2


@pytest.mark.parametrize("start", [b"Event: X\r\nA: ", b"A" * 10, b"Asterisk Call Manager/"])
def test_an_endless_message_is_broken_off(start: bytes) -> None:
    decoder = Decoder(max_message=100, wanted=frozenset())
    decoder.feed(start)
    with pytest.raises(ProtocolBroken, match="more than 100 bytes"):
        decoder.feed(b"x" * 100)


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\r\n\n"])
def test_the_bound_is_the_same_for_finished_messages(end: bytes) -> None:
    fits = b"Event: X\r\nA: " + b"x" * 87
    assert len(fits) == 100
    for body, broken in ((fits, False), (fits + b"x", True)):
        for chunks in ([body + end], one_by_one(body + end)):
            messages, broke = feed_all(Decoder(max_message=100), chunks)
            assert (len(messages), broke) == (0 if broken else 1, broken)


def test_messages_before_the_one_too_long_are_not_lost() -> None:
    with pytest.raises(MessageTooLong) as caught:
        Decoder(max_message=200).feed(HANGUP + SUCCESS + b"Event: " + b"x" * 300)
    assert [message.name for message in caught.value.messages] == ["Hangup", "Success"]


def test_blank_lines_are_not_kept() -> None:
    decoder = Decoder(max_message=10)
    for _ in range(50):
        assert decoder.feed(b"\r\n\n\r\n") == []


def test_no_byte_is_searched_more_than_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = 0
    find_end = re.compile(rb"\r\n(?:\r\n|\n)").search

    def count(buffer: bytes, scan: int) -> re.Match[bytes] | None:
        nonlocal searched
        searched += len(buffer) - scan
        return find_end(buffer, scan)

    monkeypatch.setattr(wire, "_CRLF_END", count)
    data = b"Event: X\r\nA: " + b"x\n" * 5000 + b"\r\n\r\n"
    messages, _ = feed_all(Decoder(), one_by_one(data))
    assert names(messages) == ["X"]
    assert searched < 5 * len(data)


def test_a_message_says_no_values_of_itself() -> None:
    (message,) = read(HANGUP)
    assert repr(message) == f"<Message event Hangup of {len(HANGUP) - 4} bytes>"


def test_equal_bytes_are_equal_messages() -> None:
    first, second, other = read(HANGUP + HANGUP + SUCCESS)
    assert first == second
    assert len({first, second, other}) == 2


def test_parse_message_alone() -> None:
    message = parse_message(b"Response: Goodbye\r\nMessage: Thanks for all the fish.")
    assert message is not None
    assert (message.kind, message.name) == (Kind.RESPONSE, "Goodbye")
    assert parse_message(b"nothing") is None


PIECES = st.sampled_from(
    [
        b"Event: X",
        b"Event: Hangup",
        b"event:X",
        b"Response: Success",
        b"Asterisk Call Manager/1",
        b"Aster",
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"\r\n\n",
        b"A: b",
        b":",
        b" ",
        b"\xc3\xa9",
        b"\xff",
        b"\x00",
        b"x" * 30,
    ]
)
GARBAGE = st.one_of(st.lists(PIECES, max_size=30).map(b"".join), st.binary(max_size=120))


@settings(max_examples=100, deadline=None)
@given(data=GARBAGE, cuts=st.lists(st.integers(0, 120), max_size=6))
@example(data=b"Event: X\r\n" + b"x" * 60, cuts=[])
@example(data=b"Asterisk Call Manager" + b"x" * 60 + b"\n", cuts=[])
def test_garbage_gives_the_same_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    def outcome(chunks: Iterable[bytes]) -> tuple[list[Message], bool]:
        return feed_all(Decoder(max_message=50, wanted=frozenset({"Hangup"})), chunks)

    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    whole = outcome([data])
    assert outcome(one_by_one(data)) == whole
    assert outcome(pieces) == whole
    for message in whole[0]:
        for key, value in message.headers:
            assert message.all(key)[0] == message.get(key.upper())
            assert value in message.all(key)


HEADER = st.from_regex(r"[A-Za-z][A-Za-z-]{0,9}", fullmatch=True)
VALUE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)


NAMES = st.sampled_from(["Uniqueid", "UNIQUEID", "DestUniqueid", "Event", "event", "Zoë", "", " x"])
LINES = st.lists(
    st.builds(
        "".join, st.tuples(NAMES, st.sampled_from([":", ": ", ":  ", "", ": a:", "\n:"]), NAMES)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(lines=LINES, end=st.sampled_from(["\r\n", "\n"]), wanted=NAMES)
def test_a_header_is_the_first_spelled_so_else_the_first_in_any_case(
    lines: list[str], end: str, wanted: str
) -> None:
    message = Message(Kind.EVENT, "x", end.join(lines).encode())
    same = [value for name, value in message.headers if name == wanted]
    alike = [value for name, value in message.headers if name.lower() == wanted.lower()]
    assert message.get(wanted, "none") == [*same, *alike, "none"][0]
    assert message.all(wanted) == tuple(alike)


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(st.tuples(HEADER, VALUE), max_size=8), end=st.sampled_from(["\r\n", "\n"]))
def test_what_is_written_is_read(pairs: list[tuple[str, str]], end: str) -> None:
    headers = [("Event", "X"), *pairs]
    text = "".join(f"{key}: {value}{end}" for key, value in headers) + end
    (message,) = read(text.encode())
    assert list(message.headers) == headers
