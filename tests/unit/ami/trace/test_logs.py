import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace.logs import MAX_LINE, find_prefix, has_json_event, read_lines
from tests.unit.ami.trace.reading import InPieces, messages_of, read

PREFIXES = [
    "2015-11-13 23:14:58,250 DEBUG ami.client: ",
    "[2015-11-13T23:14:58.25Z] <<< ",
    "Nov 13 23:14:58 pbx dialer[77]: ",
    "1447456498.250000 < ",
    "ami_handler.c:",
]
LINES = [
    "Event: Newchannel",
    "Privilege: call,all",
    "Uniqueid: 1",
    "",
    "Event: Hangup",
    "Cause: 16",
    "",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("blank", ["kept", "trimmed", "dropped"])
def test_lines_with_a_prefix(prefix: str, blank: str) -> None:
    lines = ["starting up", *(prefix + line for line in LINES if line or blank != "dropped")]
    text = "\n".join(line.rstrip() if blank == "trimmed" else line for line in lines)
    trace, records = read(text.encode())
    assert trace.format == "log"
    assert [message.name for message in messages_of(records)] == ["Newchannel", "Hangup"]
    assert messages_of(records)[1].get("Cause") == "16"
    assert trace.problems == ["1 lines of a log that belong to no message"]


def test_times_are_those_of_the_prefix() -> None:
    text = "\n".join("2015-11-13 23:14:58,250 DEBUG: " + line for line in LINES)
    assert {record.at for record in read(text.encode())[1]} == {1447456498.25}


def test_words_of_a_prefix_may_change() -> None:
    prefix = find_prefix(["no header here", "[12:00:01] INFO[77] main.c: Event: Newchannel"])
    assert prefix is not None
    assert prefix.match("[13:30:59] DEBUG[1234] other.c: Uniqueid: 1")
    assert not prefix.match("[13:30:59] plain")
    assert find_prefix(["Event: Newchannel"]) is None


def test_events_as_json_in_lines_and_over_several() -> None:
    event = {"Event": "Newchannel", "Uniqueid": "1"}
    text = (
        f"hello\n[Nov 13 23:14:58] got tmp[{json.dumps(event)}]\n\n{json.dumps(event, indent=4)}\n"
    )
    trace, records = read(text.encode())
    assert trace.format == "json-log"
    assert [record.at for record in records] == [90544498.0, None]
    assert [message.get("Uniqueid") for message in messages_of(records)] == ["1", "1"]
    assert trace.problems == ["1 lines of a log that hold no event"]


def test_braces_that_are_no_event() -> None:
    assert has_json_event('set {a} {b}: {"Event": "X"}')
    assert not has_json_event("{" * 1000)
    assert not has_json_event('{"n": 1}')


def test_long_lines_are_cut_not_held() -> None:
    lines = list(read_lines(InPieces(b"x" * (MAX_LINE * 3) + b"\nshort\r\n", 1 << 18).read))
    assert lines[-1] == b"short"
    assert max(map(len, lines)) < MAX_LINE * 2
    assert sum(map(len, lines)) == MAX_LINE * 3 + 5


@given(st.text(max_size=60))
@settings(max_examples=60)
def test_any_prefix_gives_a_pattern_that_fits_it(prefix: str) -> None:
    pattern = find_prefix([prefix + " Event: Newchannel"])
    if pattern is not None:
        assert isinstance(pattern, re.Pattern)
        assert pattern.match(prefix + " Event: Newchannel")
