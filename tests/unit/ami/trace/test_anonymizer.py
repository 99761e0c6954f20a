import pytest

from ami.trace import Anonymizer, Direction, Record, read_note, split_records, write_note
from ami.wire import Message

KEY = b"a key of a test"
CANARIES = (
    "5551234", "carmen", "sandiego", "acmecorp", "10.1.2.3", "trunkhost", "sesame", "4929",
    "\u00dcnalmi", "\ud64d\uae38\ub3d9", "pizzeria",
)  # fmt: skip


def rewrite(text: str, direction: Direction = Direction.RECEIVED) -> Message:
    """The message, written with `|` between its lines, anonymized."""
    data = (text.replace("|", "\r\n") + "\r\n\r\n").encode("utf-8", "surrogateescape")
    (record,) = Anonymizer(KEY).rewrite([Record(1.0, direction, data)])
    (piece,) = split_records([record])
    assert piece.message is not None
    return piece.message


replace = Anonymizer(KEY).replace_text


def test_what_asterisk_made_up_stays() -> None:
    text = (
        "Event: Hangup|Privilege: call,all|Timestamp: 1763705623.130001|ChannelState: 6"
        "|ChannelStateDesc: Up|Cause: 17|Cause-txt: User busy|TechCause: 486|Language: en"
        "|DestChannelState: 5|Priority: 1|CallerIDName: <unknown>|AccountCode: "
    )
    assert rewrite(text).headers == tuple(
        (name, value.strip())
        for name, _, value in (line.partition(":") for line in text.split("|"))
    )
    booted = "Event: FullyBooted|Status: Fully Booted|Uptime: 12|LastReload: 12"
    assert rewrite(booted).raw.decode().split("\r\n") == booted.split("|")
    answer = "Response: Error|ActionID: 1|Message: No such channel"
    assert rewrite(answer).get("Message") == "No such channel"


def test_what_stands_in_known_headers_and_looks_otherwise_goes() -> None:
    message = rewrite(
        "Event: Hangup|Cause-txt: call 5551234|TechCause: SIP 486 carmen|Cause: 5551234"
        "|Timestamp: carmen|Application: carmen@x|Reason: 5551234|Message: carmen is away"
    )
    assert message.get("TechCause") == f"SIP 486 {replace('carmen')}"
    assert message.get("Message") == replace("carmen is away")
    assert b"5551234" not in message.raw
    assert b"carmen" not in message.raw


def test_a_user_event_s_own_headers_go_whatever_their_names() -> None:
    message = rewrite(
        "Event: UserEvent|UserEvent: DialerRecording|Uniqueid: c1|Status: sandiego"
        "|Application: carmen|Message: Permission denied"
    )
    assert message.get("UserEvent") == "DialerRecording"
    for name, value in (("Status", "sandiego"), ("Application", "carmen")):
        assert message.get(name) == replace(value)
    assert rewrite("Event: UserEvent|UserEvent: Call5551234").get("UserEvent") == replace(
        "Call5551234"
    )


def test_variables_keep_their_names_and_lose_their_values() -> None:
    action = rewrite(
        "Action: Originate|ActionID: 1|Channel: PJSIP/5551234@trunkhost"
        r"|Variable: DIALER_APPLICATION=Dial,DIALER_DATA=PJSIP/5551234\,30,PIN_5551234=4929"
        "|Variable: PJSIP_HEADER(add,X-carmen)=sandiego",
        Direction.SENT,
    )
    first, second = action.all("Variable")
    number = replace("5551234")
    assert first == (
        rf"DIALER_APPLICATION=Dial,DIALER_DATA=PJSIP/{number}\,{replace('30')},"
        f"{replace('PIN_5551234')}={replace('4929')}"
    )
    assert second == f"PJSIP_HEADER({replace('add,X-carmen')})={replace('sandiego')}"
    event = rewrite("Event: VarSet|Variable: DIALER_APPLICATION|Value: Dial")
    assert (event.get("Variable"), event.get("Value")) == ("DIALER_APPLICATION", "Dial")
    assert rewrite("Event: VarSet|Variable: CUSTOMER|Value: carmen").get("Value") != "carmen"


def test_no_original_remains() -> None:
    stream = (
        "Event: Newchannel|Channel: PJSIP/trunkhost-00000001|CallerIDNum: +5551234"
        "|CallerIDName: Carmen SanDiego|AccountCode: acmecorp|Context: from-acmecorp"
        "|Uniqueid: trunkhost-1763705623.1|Linkedid: trunkhost-1763705623.1"
        "|ChanVariable(PJSIP/trunkhost-00000001): HOST=10.1.2.3",
        "Event: UserEvent|UserEvent: Order|Item: Pizzeria \u00dcnalmi|Who: \ud64d\uae38\ub3d9"
        "|X5551234: 1|carmen without a colon",
        "Event: DTMFEnd|Digit: 4|Channel: SIP/5551234-carmen",
        "Event: Newexten|Application: Dial|AppData: PJSIP/0015551234@10.1.2.3:5060,30",
    )
    sent = (
        "Action: Login|Username: carmen|Secret: ***",
        "Action: Originate|ActionID: acmecorp-1|Channel: PJSIP/5551234@trunkhost|Data: sesame"
        '|CallerID: "Carmen" <5551234>|Account: acmecorp|ChannelId: pizzeria-1|Variable: PIN=4929',
    )
    records = [Record(1.0, Direction.RECEIVED, b"Asterisk Call Manager carmen\r\n")]
    records += [write_note(1.0, {"server": "trunkhost", "link": "up", "why": "10.1.2.3 carmen"})]
    for direction, messages in ((Direction.RECEIVED, stream), (Direction.SENT, sent)):
        for text in messages:
            data = (text.replace("|", "\r\n") + "\r\n\r\n").encode()
            records.append(Record(2.0, direction, data))
    made = list(Anonymizer(KEY).rewrite(records))
    assert len(made) == len(records)
    text = b"\n".join(record.data for record in made).decode().lower()
    assert [canary for canary in CANARIES if canary.lower() in text] == []


def test_notes_keep_what_the_recording_is() -> None:
    gap = {"since": 5.5, "bytes": 100, "why": "carmen"}
    note = {"server": "pbx1", "recorder": "ami-dialer 1", "continued": True, "gap": gap}
    (record,) = Anonymizer(KEY).rewrite([write_note(7.0, {**note, "more": [5551234, None]})])
    made = read_note(record)
    assert (record.at, made["recorder"], made["continued"]) == (7.0, "ami-dialer 1", True)
    assert made["gap"] == {**gap, "why": replace("carmen")}
    assert (made["server"], made["more"]) == (replace("pbx1"), [replace("5551234"), None])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_bytes_that_are_no_text_stay_what_they_are(end: str) -> None:
    lines = ["Event: X", "Name: caf\udce9", "A:b", "C :d"]
    data = (end.join(lines) + end * 2).encode("utf-8", "surrogateescape")
    (record,) = Anonymizer(KEY).rewrite([Record(None, Direction.RECEIVED, data)])
    assert record.at is None
    assert record.data.count(b"\n") == record.data.count(end.encode()) == 5
    assert b"\xe9" not in record.data
    assert len(record.data) == len(data)
