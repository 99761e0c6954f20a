"""The carrier's number table."""

import pytest

from ami.simulator.plan import Signal, find_behaviour


@pytest.mark.parametrize(
    ("number", "did", "signal", "wait", "talk", "cause", "sip_code"),
    [
        ("9800", "answer", Signal.RINGING, 0.2, 2.0, 0, None),
        ("9801", "busy", None, 0.0, None, 17, 486),
        ("9802", "ring", Signal.RINGING, None, None, 0, None),
        ("9803", "congestion", None, 0.0, None, 34, 503),
        ("9804", "unallocated", None, 0.0, None, 1, 404),
        ("9805", "unavailable", None, 0.0, None, 19, 480),
        ("9806", "answer", Signal.RINGING, 5.0, 2.0, 0, None),
        ("9807", "answer", Signal.RINGING, 0.2, 30.0, 0, None),
        ("9808", "answer", Signal.RINGING, 0.2, 0.1, 0, None),
        ("9809", "busy", Signal.RINGING, 1.0, None, 17, 486),
        ("9810", "busy", Signal.PROGRESS, 0.5, None, 17, 486),
        ("9811", "reject", None, 0.0, None, 21, 403),
    ],
)
def test_table(
    number: str,
    did: str,
    signal: Signal | None,
    wait: float | None,
    talk: float | None,
    cause: int,
    sip_code: int | None,
) -> None:
    behaviour = find_behaviour(number)
    assert (behaviour.did, behaviour.signal, behaviour.wait) == (did, signal, wait)
    assert (behaviour.talk, behaviour.cause, behaviour.sip_code) == (talk, cause, sip_code)


@pytest.mark.parametrize("number", ["9812", "9857", "1", "", "98xy"])
def test_other_endings_are_as_00(number: str) -> None:
    assert find_behaviour(number) == find_behaviour("00")
