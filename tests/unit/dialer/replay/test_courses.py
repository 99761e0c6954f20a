from ami.trace import Record
from dialer.replay.courses import read_courses
from tests.unit.dialer.replay.golden import read_records
from tests.unit.dialer.replay.traced import (
    CREATED,
    DIALED,
    HUNG_UP,
    ORIGINATE,
    SUCCESS,
    UP,
    record,
)


def at(time: float, message: str) -> Record:
    return record(message, at=time)


def test_a_course_counts_from_its_originate() -> None:
    times = [(999.0, ORIGINATE), (1000.2, CREATED), (1003.2, UP), (1003.2, SUCCESS)]
    recorded = read_courses([at(t, m) for t, m in [*times, (1010.7, HUNG_UP)]])
    (course,) = recorded.courses
    assert (course.channel_id, course.number, course.refusal) == ("c1", "9001", None)
    assert [round(step.after, 6) for step in course.steps] == [1.2, 4.2, 4.2, 11.7]
    assert [round(step.stamp, 6) for step in course.steps] == [1.0, 4.0, 4.1, 11.5]
    assert dict(course.steps[-1].headers)["Event"] == "Hangup"


def test_without_an_originate_the_first_event_is_the_beginning() -> None:
    messages = [CREATED, DIALED, UP, SUCCESS, HUNG_UP]
    (course,) = read_courses([record(m) for m in messages]).courses
    assert [round(step.after, 6) for step in course.steps] == [0.0, 0.1, 3.0, 3.1, 10.5]


def test_without_a_clock_the_order_is_kept() -> None:
    messages = [
        "|".join(line for line in m.split("|") if not line.startswith("Timestamp"))
        for m in (CREATED, UP, SUCCESS, HUNG_UP)
    ]
    (course,) = read_courses([record(m) for m in messages]).courses
    assert [round(step.after, 6) for step in course.steps] == [0.0, 0.01, 0.02, 0.03]


def test_a_stamp_that_is_no_time() -> None:
    bad = CREATED.replace("Timestamp: 1000.0", "Timestamp: nan")
    (course,) = read_courses([at(1000.0, m) for m in (bad, UP, SUCCESS, HUNG_UP)]).courses
    assert course.steps[0].stamp == 0.0


def test_a_refused_originate() -> None:
    refused = "Response: Error|ActionID: a1|Message: Originate Access Forbidden"
    (course,) = read_courses([at(1.0, ORIGINATE), at(1.1, refused)]).courses
    assert (course.steps, course.refusal) == ((), "Originate Access Forbidden")


def test_parts_and_calls_of_others_are_counted() -> None:
    inbound = [m.replace("c1", "in1") for m in (CREATED, HUNG_UP)]
    recorded = read_courses([record(m) for m in (CREATED, UP, SUCCESS, *inbound)])
    assert (recorded.courses, recorded.skipped, recorded.others) == ((), 1, 1)


def test_calls_that_a_restart_ended_are_not_played() -> None:
    recorded = read_courses(read_records("restart_killed"))
    assert (len(recorded.courses), recorded.skipped) == (0, 2)
