from dialer.replay.explanation import Explainer
from dialer.replay.follower import Follower
from tests.unit.dialer.replay.traced import (
    CREATED,
    FAILURE,
    HUNG_UP,
    ORIGINATE,
    SUCCESS,
    UP,
    follow,
)


def explain(channel_id: str, *messages: str) -> list[str]:
    follower = Follower()
    explainer = Explainer(channel_id, follower.tracker)
    follower.watch = explainer.take
    follow(*messages, follower=follower)
    return [line.strip() for line in explainer.lines]


def test_each_event_with_what_it_changed() -> None:
    lines = explain("c1", ORIGINATE, CREATED, UP, SUCCESS, HUNG_UP)
    assert next(line for line in lines if line.startswith(("+", "?"))).endswith(
        "ChannelStateDesc: Down"
    )
    assert "→ started" in lines
    assert "→ answered" in lines
    assert 'disposition = "answered"' in lines
    assert "cause = 16" in lines
    assert lines[-1] == "→ over: answered"


def test_a_time_that_ran_out_is_told() -> None:
    lines = explain("c1", ORIGINATE, FAILURE)
    assert any(line.endswith("(nothing more is waited for)") for line in lines)
    assert lines[-1] == "→ over: failed"


def test_another_call_s_events_are_not() -> None:
    assert explain("c2", ORIGINATE, CREATED, UP, HUNG_UP) == []
