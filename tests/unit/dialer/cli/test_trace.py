import json
from pathlib import Path

import pytest

from ami.trace import open_trace
from dialer.cli import main
from dialer.cli.cdrs import CLOSED_PIPE
from dialer.cli.trace import make_visible, show_moment
from tests.unit.dialer.replay.traced import (
    CAPTURES,
    CREATED,
    DIALED,
    HUNG_UP,
    ORIGINATE,
    SUCCESS,
    UP,
    encode,
)

Captured = pytest.CaptureFixture[str]


def other(message: str) -> str:
    """The same of another call, a minute later."""
    text = message.replace("c1", "c2").replace("a1", "a2").replace("00000001", "00000002")
    return text.replace("Timestamp: 10", "Timestamp: 20")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "x.ami"
    first = [ORIGINATE, CREATED, DIALED, UP, SUCCESS, HUNG_UP]
    mixed = [m for pair in zip(first, map(other, first), strict=True) for m in pair]
    path.write_bytes(encode(*mixed))
    return path


def replayed(path: Path, capsys: Captured, *options: str) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert main(["replay", str(path), "--format", "json", *options]) == 0
    cdrs = map(json.loads, capsys.readouterr().out.splitlines())
    return {cdr["channel_id"]: cdr for cdr in cdrs}


def test_show_prints_messages_for_people(trace: Path, capsys: Captured) -> None:
    assert main(["trace", "show", str(trace), "--call", "c1", "--event", "hangup"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1970-01-01 00:16:50.500000 < event Hangup",
        "    Event: Hangup",
        "    Timestamp: 1010.5",
        "    Channel: PJSIP/carrier-00000001",
        "    Uniqueid: c1",
        "    Linkedid: c1",
        "    Cause: 16",
        "    Cause-txt: Normal Clearing",
        "",
    ]
    assert main(["trace", "show", str(trace), "--event", "Originate"]) == 0
    assert capsys.readouterr().out.count(" > Originate\n    Action: Originate\n") == 2
    window = ("--from", "1970-01-01T00:16:43.000Z", "--to", "1970-01-01T00:16:43.100Z")
    assert main(["trace", "show", str(trace), *window]) == 0
    assert capsys.readouterr().out.startswith("1970-01-01 00:16:43.000000 < event Newstate\n")


def test_nothing_shown_steers_a_terminal() -> None:
    assert make_visible("Jürgen\x1b[2J\r\n\x9b") == "Jürgen\\x1b[2J\\r\\n\\x9b"
    assert show_moment(None) == " " * 26
    assert show_moment(999_999_999_999.5) == "       999999999999.500000"


def test_stats_count(trace: Path, capsys: Captured) -> None:
    assert main(["trace", "stats", str(trace)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["2", "calls,", "0", "in", "part,", "0", "of", "nobody", "over", "AMI"] in lines
    assert ["2", "answered"] in lines
    assert ["2", "Event", "Hangup"] in lines
    assert ["12", "messages"] in lines


@pytest.mark.parametrize("options", [("--call", "c2"), ("--from", "1970-01-01T00:30:00Z")])
def test_a_slice_replays_to_the_same_cdrs(
    options: tuple[str, str], trace: Path, capsys: Captured
) -> None:
    cut = trace.with_name("cut.trace")
    whole = replayed(trace, capsys)
    assert main(["trace", "slice", str(trace), "-o", str(cut), *options]) == 0
    assert capsys.readouterr().out == f"{cut}: 6 records, {cut.stat().st_size:,} bytes\n"
    assert replayed(cut, capsys) == {"c2": whole["c2"]}
    assert next(iter(open_trace(cut))).data == encode(other(ORIGINATE))


@pytest.mark.parametrize("options", [("--call", "nobodys"), ("--to", "1970-01-01T00:00:01Z")])
def test_a_call_that_is_not_in_there_makes_no_trace(
    options: tuple[str, str], trace: Path, capsys: Captured
) -> None:
    cut = trace.with_name("cut.trace")
    assert main(["trace", "slice", str(trace), "-o", str(cut), *options]) == 1
    assert capsys.readouterr() == ("", "no such call in there\n")
    assert not cut.exists()
    assert main(["trace", "show", str(trace), "--call", "nobodys"]) == 1


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*dial*.ami")), ids=lambda path: path.stem)
def test_an_anonymous_trace_replays_to_the_same_cdrs_but_for_texts(
    path: Path, tmp_path: Path, capsys: Captured
) -> None:
    made, key = tmp_path / "a.trace", tmp_path / "key"
    key.write_bytes(b"a key of sixteen bytes")
    options = ("--key-file", str(key))
    assert main(["trace", "anonymize", str(path), "-o", str(made), *options]) == 0
    before, after = replayed(path, capsys), replayed(made, capsys)
    assert len(before) == len(after) > 0
    for old, new in zip(before.values(), after.values(), strict=True):
        assert old["channel_id"] != new["channel_id"]
        assert old["number"] != new["number"]
        assert [name for name in old if type(old[name]) is not type(new[name])] == []
        kept = ("disposition", "error_message", "cause_text", "dial_status", "application")
        for name, value in old.items():
            if name in kept or not isinstance(value, str | dict):
                assert new[name] == value, name
        times = [leg for leg in (old["leg_b"], new["leg_b"]) if isinstance(leg, dict)]
        assert all(leg["answered_at"] == times[0]["answered_at"] for leg in times)


def test_keys_are_random_or_the_same(trace: Path, capsys: Captured) -> None:
    key = trace.with_name("key")
    key.write_bytes(b"a key of sixteen bytes")
    made = [trace.with_name(f"{number}.trace") for number in range(4)]
    for path in made[:2]:
        assert main(["trace", "anonymize", str(trace), "-o", str(path)]) == 0
    for path in made[2:]:
        options = ("--key-file", str(key))
        assert main(["trace", "anonymize", str(trace), "-o", str(path), *options]) == 0
    one, two, three, four = (path.read_bytes() for path in made)
    assert three == four
    assert len({one, two, three}) == 3


def test_what_can_not_be_is_one_sentence(trace: Path, capsys: Captured) -> None:
    short, out = trace.with_name("short"), str(trace.with_name("new.trace"))
    short.write_text("x")
    other_server = [trace.with_name(f"{code}.trace") for code in ("pbx1", "pbx2")]
    for path in other_server:
        note = json.dumps({"server": path.stem})
        path.write_text(f"AMI trace 1\n* 1.000000 {len(note)}\n{note}\n")
    many = [str(path) for path in other_server]
    for words, saying in (
        (["show", "nothing"], "nothing cannot be read"),
        (["slice", str(trace), "-o", out], "say which calls"),
        (["slice", str(trace), "-o", out, "--call", "c1", "--to", "5000000000"], "say which calls"),
        (["slice", str(trace), "-o", out, "--to", "no"], "'no' is no time"),
        (["show", str(trace), "--from", "1e9", "--to", "1"], "--from: '1e9' is no time"),
        (["show", str(trace), "--from", "1000000002", "--to", "1000000001"], "is not before --to"),
        (["slice", str(trace), "-o", str(trace), "--call", "c1"], "is there already"),
        (["slice", str(trace), "-o", "none/x", "--call", "c1"], "cannot be written"),
        (["anonymize", *many, "-o", out], "these files hold 2 sessions"),
        (["anonymize", str(trace), "-o", out, "--key-file", str(short)], "16 bytes or more"),
        (["anonymize", str(trace), "-o", out, "--key-file", "none"], "none cannot be read"),
    ):
        assert main(["trace", *words]) == 2, words
        printed = capsys.readouterr()
        assert printed.out == ""
        assert saying in printed.err
        assert printed.err.count("\n") == 1
    assert not Path(out).exists()


def test_a_reader_that_has_enough_ends_it_quietly(
    trace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def close(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("dialer.cli.trace.typer.echo", close)
    assert main(["trace", "show", str(trace)]) == CLOSED_PIPE
    assert capfd.readouterr() == ("", "")
