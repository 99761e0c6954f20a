"""Public recordings of other people's AMI traffic, in their own formats, through parser,
translation and tracker. They are not part of the project: without them this is skipped."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ami.calls import CallEffect, CallEnded, CallReport, CallTracker
from ami.causes import Disposition
from ami.events import ChannelCreated, Event, OriginateAnswered
from ami.translate import translate
from ami.wire import Decoder, Message, parse_message

FOLDER = Path(
    os.environ.get("DIALER_TRACES") or Path(__file__).parents[3].parent / "shared" / "traces"
)
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no recordings: set DIALER_TRACES to their folder"
)

D = Disposition
# What became of the first channel of each recording; None where it does not end in it.
FIRST_CALLS: dict[str, Disposition | None] = {
    "caco11_congestion_busy_cancel.json": D.ANSWERED,
    "caco13_answered_b_hangup.json": D.ANSWERED,
    "caco13_group_no_answer.json": D.NOT_AVAILABLE,  # a caller's own leg: cause 19, and no ring
    "caco13_originate_a_busy.json": D.BUSY,
    "caco13_originate_answered.json": D.ANSWERED,
    "panoramisk11_originate_local_sync.txt": D.ANSWERED,
    "pchero13_originate_chanid_queue.log": D.ANSWERED,
    "pyfreepbx_answered_pjsip_ast16.txt": D.ANSWERED,
    "pyfreepbx_missed_pjsip_ast16.txt": D.ANSWERED,  # the caller's leg went up: voicemail
    "wazo14_call_sccp.txt": D.ANSWERED,
    "yeastar_gsm_old_dial.txt": None,
}


def read_messages(path: Path) -> list[Message]:
    """The messages of a recording: a JSON array, a daemon's log, or raw AMI."""
    if path.suffix == ".json":
        return list(from_json(json.loads(path.read_text())))
    if path.suffix == ".log":
        found = re.findall(r"Received event\. tmp\[(\{.*\})\]", path.read_text())
        return list(from_json([json.loads(text) for text in found]))
    return Decoder().feed(path.read_bytes())


def from_json(records: list[dict[str, Any]]) -> Iterator[Message]:
    for record in records:
        lines = [f"{name}: {value}" for name, value in record.items() if name != "content"]
        message = parse_message("\r\n".join(lines).encode())
        if message is not None:
            yield message


def read_events(path: Path) -> list[Event]:
    """The recording's events, one second apart where they carry no time."""
    events = (translate(message, 1.0 + index) for index, message in enumerate(read_messages(path)))
    return [event for event in events if event is not None]


def track(events: list[Event], *, sweep: bool) -> tuple[list[str], list[CallReport]]:
    """Begins a call for every Linkedid, as if we had originated it; `sweep` settles the rest."""
    tracker = CallTracker()
    begun: list[str] = []
    effects: list[CallEffect] = []
    for index, event in enumerate(events):
        if isinstance(event, ChannelCreated):
            root = event.linkedid or event.uniqueid
            if root == event.uniqueid and root not in begun:
                tracker.begin(root, f"action of {root}", event.at, float(index))
                begun.append(root)
        effects += tracker.apply(event, float(index))
    effects += tracker.expire(1e9)
    if sweep:
        for call in list(tracker.open_calls()):
            effects += tracker.settle_absent(call.channel_id, 1e9, 1e9, "the recording ends")
    return begun, [effect.report for effect in effects if isinstance(effect, CallEnded)]


@pytest.mark.parametrize("name", FIRST_CALLS)
def test_recording(name: str) -> None:
    begun, reports = track(read_events(FOLDER / name), sweep=False)
    assert len({report.channel_id for report in reports}) == len(reports)
    first = next((report for report in reports if report.channel_id == begun[0]), None)
    assert (first.disposition if first else None) is FIRST_CALLS[name]


@pytest.mark.parametrize("name", FIRST_CALLS)
def test_every_call_of_a_recording_ends_once(name: str) -> None:
    begun, reports = track(read_events(FOLDER / name), sweep=True)
    assert begun
    assert sorted(report.channel_id for report in reports) == sorted(begun)


def test_a_failure_without_a_channel() -> None:
    (recording,) = FOLDER.glob("jade_*_originate_failure_reason0.txt")
    (event,) = read_events(recording)
    assert isinstance(event, OriginateAnswered)
    assert (event.success, event.reason, event.uniqueid) == (False, 0, "test 12 123 1236")
    tracker = CallTracker()
    tracker.begin("test 12 123 1236", "1113", 0.0, 0.0)
    tracker.apply(event, 0.0)
    (effect,) = tracker.expire(60.0)
    assert isinstance(effect, CallEnded)
    assert (effect.report.disposition, effect.report.placed) == (Disposition.FAILED, False)


def test_a_response_without_action_id_and_letters_beyond_ascii() -> None:
    """The dialer of 2015 got OriginateResponse without ActionID: nobody's."""
    events = read_events(FOLDER / "pchero13_originate_chanid_queue.log")
    responses = [event for event in events if isinstance(event, OriginateAnswered)]
    assert [response.action_id for response in responses] == [None] * len(responses)
    assert responses
    (message,) = read_messages(FOLDER / "nonascii_korean_dialend_ast16.txt")
    assert message.get("CallerIDName") == "유선20005"
    assert translate(message, 1.0) is not None


def test_a_command_answer_is_no_event() -> None:
    assert read_events(FOLDER / "panoramisk_command_follows.txt") == []
