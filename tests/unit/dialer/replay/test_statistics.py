from ami.trace import Direction, Record, write_note
from dialer.cli.trace import describe_statistics
from dialer.replay.statistics import collect_statistics
from tests.unit.dialer.replay.traced import CREATED, HUNG_UP, ORIGINATE, SUCCESS, UP, encode, record


def test_what_a_session_held() -> None:
    inbound = [m.replace("c1", "in1").replace("00000001", "2") for m in (CREATED, UP, HUNG_UP)]
    records = [
        write_note(100.0, {"server": "pbx1"}),
        Record(100.5, Direction.RECEIVED, b"Asterisk Call Manager/9.0\r\n"),
        Record(101.0, Direction.SENT, encode(ORIGINATE)),
        Record(102.0, Direction.RECEIVED, encode(CREATED, UP, SUCCESS, HUNG_UP, *inbound)),
        write_note(103.0, {"gap": {"bytes": 70, "why": "the disk is full"}}),
        Record(110.0, Direction.RECEIVED, encode(UP.replace("c1", "part1"))),
        Record(111.0, Direction.SENT, encode(ORIGINATE.replace("c1", "c2").replace("a1", "a2"))),
        write_note(111.5, {"link": "down", "why": "left"}),
    ]
    found = collect_statistics(records)
    assert (found.begun_at, found.ended_at, found.silence) == (100.0, 111.5, (7.0, 103.0))
    received = [r for r in records if r.direction is Direction.RECEIVED]
    assert found.received_bytes == sum(len(r.data) for r in received)
    assert found.sent_bytes == 2 * len(encode(ORIGINATE))
    assert found.logins == 1
    assert found.messages == {
        "Action Originate": 2,
        "Event Newchannel": 2,
        "Event Newstate": 3,
        "Event OriginateResponse": 1,
        "Event Hangup": 2,
    }
    assert (found.calls, found.partial, found.others) == ({"answered": 1}, 2, 1)
    assert found.interruptions == [
        (103.0, "70 bytes missing: the disk is full"),
        (111.5, "link down: left"),
    ]


def test_a_trace_without_a_clock_and_odd_notes() -> None:
    records = [Record(None, Direction.RECEIVED, encode("Response: Success|Ping: Pong"))]
    records += [write_note(None, {"link": "down"}) for _ in range(60)]
    found = collect_statistics([*records, write_note(None, {"gap": 5})])
    assert (found.begun_at, found.ended_at) == (None, None)
    assert (found.interrupted, len(found.interruptions)) == (60, 50)
    assert found.messages == {"Response Success": 1}


def test_nothing_is_counted_twice_when_messages_share_a_record() -> None:
    found = collect_statistics([record(CREATED, UP, SUCCESS, HUNG_UP, at=5.0)])
    assert found.calls == {"answered": 1}
    assert found.messages.total() == 4


def test_a_look_of_servers_check_is_no_call() -> None:
    sent = ORIGINATE.replace("PJSIP/", "DialerProbe/")
    refused = SUCCESS.replace("Response: Success", "Response: Failure")
    records = [
        Record(101.0, Direction.SENT, encode(sent)),
        Record(102.0, Direction.RECEIVED, encode(refused)),
        Record(120.0, Direction.RECEIVED, encode("Response: Success|Ping: Pong")),
    ]
    found = collect_statistics(records)
    assert sent != ORIGINATE
    assert (found.probes, found.calls, found.partial, found.others) == (1, {}, 0, 0)
    assert "1 look of `dialer servers check`" in describe_statistics(found)
