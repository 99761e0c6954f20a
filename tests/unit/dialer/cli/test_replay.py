import json
import sys
from pathlib import Path

import pytest

from dialer.cli import main
from dialer.cli.replay import Lines, follow
from dialer.replay.follower import Follower
from dialer.replay.sessions import open_sessions
from tests.unit.dialer.replay.traced import CAPTURES, CREATED, DIALED, HUNG_UP, SUCCESS, UP, encode


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "x.ami"
    inbound = [m.replace("c1", "in1").replace("00000001", "2") for m in (CREATED, UP, HUNG_UP)]
    path.write_bytes(
        encode(CREATED, DIALED, UP, SUCCESS, HUNG_UP, *inbound, UP.replace("c1", "part1"))
    )
    return path


def test_json_is_a_cdr_a_line(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(trace), "--format", "json"]) == 0
    printed = capsys.readouterr()
    (cdr,) = map(json.loads, printed.out.splitlines())
    assert (cdr["channel_id"], cdr["disposition"]) == ("c1", "answered")
    assert printed.err.splitlines() == [
        "in part: part1: its beginning is not in the trace",
        "1 call that nobody originated over AMI: shown with --all",
    ]


def test_all_shows_calls_of_nobody_and_parts(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(trace), "--format", "json", "--all"]) == 0
    printed = capsys.readouterr()
    ids = [json.loads(line)["channel_id"] for line in printed.out.splitlines()]
    assert ids == ["c1", "in1"]
    assert printed.err == "in part: part1: its beginning is not in the trace\n"


def test_lines_are_written_together(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(2)
    lines.add("a")
    assert capsys.readouterr().out == ""
    lines.add("b")
    assert capsys.readouterr().out == "a\nb\n"
    lines.add("c")
    lines.flush()
    lines.flush()
    assert capsys.readouterr().out == "c\n"


PROBE = (
    "Event: OriginateResponse\r\nTimestamp: 1795246413.5\r\nActionID: look-6\r\n"
    "Response: Failure\r\nChannel: DialerProbe/none\r\nReason: 0\r\nUniqueid: look-6\r\n"
    "Application: Wait\r\nData: 1\r\n\r\n"
)


def test_a_look_of_servers_check_is_no_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "probe.txt"
    path.write_bytes(PROBE.encode())
    assert main(["replay", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "no calls to show",
        "1 look of `dialer servers check`: shown with --all",
    ]
    assert main(["replay", str(path), "--all", "--format", "json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["channel_id"] == "look-6"
    assert printed.err == ""


def test_a_table_for_people(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(trace)]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["call", "number", "disposition"]
    assert row.split()[:4] == ["c1", "9001", "answered", "1970-01-01"]


def test_what_was_written_is_expected(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = trace.with_name("expected.json")
    assert main(["replay", str(trace), "--write-expect", str(expected)]) == 0
    assert main(["replay", str(trace), "--expect", str(expected)]) == 0
    assert capsys.readouterr().out.endswith("1 CDRs, all as expected\n")
    expected.write_text(expected.read_text().replace('"answered"', '"busy"'))
    assert main(["replay", str(trace), "--expect", str(expected)]) == 1
    printed = capsys.readouterr()
    assert printed.out == '~ c1: disposition: expected "busy", got "answered"\n'
    assert printed.err.endswith("1 differences in 1 CDRs\n")


def test_windows_and_single_calls(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ids(*options: str) -> list[str]:
        assert main(["replay", str(trace), "--format", "json", *options]) == 0
        lines = capsys.readouterr().out.splitlines()
        return [json.loads(line)["channel_id"] for line in lines]

    assert ids("--call", "in1") == ["in1"]
    assert ids("--from", "1970-01-01T00:16:40Z", "--to", "1970-01-01 00:16:41") == ["c1"]
    assert ids("--from", "1970-01-01T00:16:41Z") == []
    assert ids("--to", "1970-01-01T00:16:40Z") == []


def test_of_some_calls_no_others_are_expected(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = str(trace.with_name("expected.json"))
    assert main(["replay", str(trace), "--all", "--write-expect", expected]) == 0
    for options in (["--call", "in1"], ["--all", "--from", "1970-01-01T00:00:00Z"]):
        assert main(["replay", str(trace), *options, "--expect", expected]) == 0
    assert main(["replay", str(trace), "--to", "1970-01-01T00:00:09Z", "--expect", expected]) == 0
    assert capsys.readouterr().out.endswith("0 CDRs, all as expected\n")
    Path(expected).write_text('{"channel_id": "c1"}\n{"channel_id": "gone"}\n')
    assert main(["replay", str(trace), "--call", "c1", "--expect", expected]) == 1
    assert capsys.readouterr().out == "- gone: expected null, no CDR\n"


@pytest.mark.parametrize("options", [[], ["--format", "json"], ["--write-expect", "w.json"]])
def test_a_call_that_is_not_in_there_is_told(
    trace: Path,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(trace.parent)
    assert main(["replay", str(trace), "--call", "c9", *options]) == 1
    assert capsys.readouterr().err.endswith("no call c9 in there\n")
    assert not Path("w.json").exists()
    assert main(["replay", str(trace), "--call", "part1", *options]) == 0
    assert "in part: part1" in capsys.readouterr().err


def test_a_trace_is_not_overwritten(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = trace.read_bytes()
    again = trace.parent / "." / "x.ami"
    assert main(["replay", str(trace), "--write-expect", str(again)]) == 2
    assert "is the trace: write the CDRs to another file" in capsys.readouterr().err
    assert trace.read_bytes() == held


def test_a_timeline(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(trace), "--explain", "c1"]) == 0
    assert "→ over: answered" in capsys.readouterr().out
    assert main(["replay", str(trace), "--explain", "part1"]) == 0
    assert capsys.readouterr().out == "in part: its beginning is not in the trace\n"
    assert main(["replay", str(trace), "--explain", "nobody"]) == 1
    assert capsys.readouterr().err == "no call nobody in there\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--speed", "fast"], "--speed: 'fast' is neither max nor a number"),
        (["--speed", "0"], "--speed: '0'"),
        (["--speed", "nan"], "--speed: 'nan'"),
        (["--from", "yesterday"], "--from: 'yesterday' is no time"),
        (["--from", "1000000001", "--to", "1000000001"], "--from 1000000001 is not before --to"),
        (["--explain", "c1", "--write-expect", "x"], "--explain compares nothing"),
        (["--expect", "none.json"], "none.json cannot be read: No such file or directory"),
        (["--expect", sys.executable], f"{sys.executable} cannot be read: it is not UTF-8"),
        (["--write-expect", "/none/x"], "/none/x cannot be written: No such file"),
        (["none.ami"], "none.ami cannot be read: No such file"),
        (["--format", "xml"], "'xml' is not one of"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    trace: Path, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(trace), *options]) == 2
    assert sentence in capsys.readouterr().err


def test_a_damaged_file_says_what_was_not_read(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace.write_bytes(b"Exten: 1\r\n\r\n" + trace.read_bytes())
    assert main(["replay", str(trace)]) == 0
    assert "not read: 8 bytes that are no message" in capsys.readouterr().err


def test_speed_follows_the_trace_s_clock(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    now = [0.0]

    def nap(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("time.sleep", nap)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    (session,) = open_sessions([trace])
    assert len(list(follow(session, Follower(), 2.0))) == 3
    assert sum(naps) == pytest.approx(10.5 / 2)


def test_the_same_bytes_give_the_same_output(capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(map(str, CAPTURES.glob("*.ami")))
    outputs = set()
    for _ in range(2):
        assert main(["replay", *files, "--format", "json", "--all"]) == 0
        outputs.add(capsys.readouterr())
    assert len(outputs) == 1
