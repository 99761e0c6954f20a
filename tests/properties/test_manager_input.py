"""The model of AMI's input, held against what main/manager.c and main/app.c say."""

import pytest

from tests.manager_input import NO_ACTION, TOO_LONG, TOO_MANY, Heard, hear, read_assignments

PING = b"Action: Ping\r\n"


def errors(data: bytes) -> list[str]:
    """Of each message in the bytes, none of which may be left over."""
    messages, rest = hear(data)
    assert rest == b""
    return [message.error for message in messages]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"A: 1\r\nB: 2\r\n\r\n", (b"A: 1", b"B: 2")),
        (b"A: 1\nB: 2\n\n", (b"A: 1", b"B: 2")),
        (b"A: 1\r\r\n\n", (b"A: 1\r",)),
        (b"A: 1\rB: 2\n\n", (b"A: 1\rB: 2",)),
        (b"A: 1\0B: 2\r\n\r\n", (b"A: 1",)),
        (b"A: 1\r\n\0B: 2\r\n", (b"A: 1",)),
        (b"A: 1\r\n \r\n\r\n", (b"A: 1", b" ")),
        (b"A: 1\r\n\r\r\n\r\n", (b"A: 1", b"\r")),
    ],
)
def test_where_lines_and_messages_end(data: bytes, lines: tuple[bytes, ...]) -> None:
    assert hear(data) == ([Heard(lines, NO_ACTION)], b"")


def test_what_is_not_ended_waits() -> None:
    assert hear(PING + b"\r\nA: 1\r\nB") == ([Heard((b"Action: Ping",))], b"A: 1\r\nB")
    assert hear(b"x" * 1023) == ([], b"x" * 1023)


@pytest.mark.parametrize(
    ("size", "end", "expected"),
    [
        (1022, b"\r\n", [""]),
        (1023, b"\n", [""]),
        (1023, b"\r\n", [TOO_LONG, NO_ACTION]),
        (1024, b"\n", [TOO_LONG]),
        (1024, b"\r\n", [TOO_LONG]),
        (2045, b"\r\n", [TOO_LONG]),
        (2046, b"\r\n", [TOO_LONG, NO_ACTION]),
        (2047, b"\r\n", [TOO_LONG]),
        (5000, b"\r\n", [TOO_LONG]),
    ],
)
def test_a_line_too_long(size: int, end: bytes, expected: list[str]) -> None:
    assert errors(PING + b"x" * size + end + b"\r\n") == expected


def test_what_follows_1023_bytes_is_a_line() -> None:
    ((message,), _) = hear(PING + b"x" * 1023 + b"Async: true\r\n\r\n" + PING)
    assert message == Heard((b"Action: Ping", b"Async: true"), TOO_LONG)


def test_too_many_lines() -> None:
    assert errors(PING + b"A: 1\r\n" * 127 + b"\r\n") == [""]
    assert errors(PING + b"A: 1\r\n" * 128 + b"\r\n" + PING + b"\r\n") == [TOO_MANY, ""]
    both = PING + b"x" * 2000 + b"\r\n" + b"A: 1\r\n" * 128 + b"\r\n"
    assert errors(both + PING + b"\r\n" + PING + b"\r\n") == [TOO_MANY, TOO_LONG, ""]


def test_headers() -> None:
    ((message,), _) = hear(b"action:\t \x01PING\x01 \r\nA : 1\r\na:2\r\nA: 3\r\nB:\r\n\r\n")
    assert message.error == ""
    assert message.header("Action") == b"PING\x01 "
    assert (message.header("A"), message.header("B"), message.header("C")) == (b"2", b"", b"")
    ((message,), _) = hear(b"Action: \r\naction: x\r\n\r\n")
    assert (message.error, message.action, message.header("Action")) == ("", b"x", b"")
    assert errors(b"Action : x\r\n\r\n") == [NO_ACTION]


@pytest.mark.parametrize(
    ("value", "assigned"),
    [
        (b" A=1", [(b"A", b"1")]),
        (b"A=1,B=2,", [(b"A", b"1"), (b"B", b"2")]),
        (b"A=1, B=2", [(b"A", b"1"), (b" B", b"2")]),
        (b"A,=1,B=", [(b"B", b"")]),
        (b"A=1=2", [(b"A", b"1=2")]),
        (b"A=(1,2),B=[,]", [(b"A", b"(1,2)"), (b"B", b"[,]")]),
        (b"A=),B=],C=(]),D", [(b"A", b")"), (b"B", b"]"), (b"C", b"(])")]),
        (b"A=[(,],B=)1,C=2", [(b"A", b"[(,],B=)1"), (b"C", b"2")]),
        (b'A="1,2"",",B=2', [(b"A", b"1,2,"), (b"B", b"2")]),
        (b'A="(",B=1),C=2', [(b"A", b"(,B=1)"), (b"C", b"2")]),
        (b'A=\\"1\\,2\\\\,B=\\(,C=1', [(b"A", b'"1,2\\'), (b"B", b"("), (b"C", b"1")]),
        (b'"A"=1,FILE(/x,y)\\=2', [(b"A", b"1"), (b"FILE(/x,y)", b"2")]),
        (b",".join(b"A=1" for _ in range(65)), [(b"A", b"1")] * 63 + [(b"A", b"1,A=1")]),
        (b"(" + b"A=1,", [(b"(A", b"1,")]),
        (b"", []),
    ],
)
def test_assignments(value: bytes, assigned: list[tuple[bytes, bytes]]) -> None:
    assert read_assignments(value) == assigned


def test_a_backslash_at_the_end_leads_out_of_the_string() -> None:
    with pytest.raises(ValueError, match="behind it"):
        read_assignments(b"A=1\\")


def test_all_variable_lines_are_taken() -> None:
    ((message,), _) = hear(b"Variable: A=1\r\nvariable:B=2,C=3\r\nVariable : D=4\r\n\r\n")
    assert message.variables() == [(b"A", b"1"), (b"B", b"2"), (b"C", b"3")]
