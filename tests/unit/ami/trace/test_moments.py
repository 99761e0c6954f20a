import pytest

from ami.trace.moments import NEVER, bound_moment, read_moment


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2015-11-13 23:14:58 DEBUG", 1447456498.0),
        ("2015-11-13T23:14:58.25Z", 1447456498.25),
        ("2015-11-13T23:14:58,125+01:00", 1447452898.125),
        ("2015/11/13 23:14:58 -0130", 1447461898.0),
        ("[Nov 13 2015 23:14:58.5] x", 1447456498.5),
        ("[Nov 13 23:14:58] DEBUG[14217]", 90544498.0),
        ("Feb 29 00:00:00 host", 68169600.0),
        ("1447456498.123456 <", 1447456498.123456),
        ("[1447456498] x", 1447456498.0),
        ("2016-12-31T23:59:60Z", 1483228800.0),
        ("2015-13-13 23:14:58", None),
        ("Feb 30 00:00:00", None),
        ("no time 23 at 12345", None),
        ("", None),
    ],
)
def test_times_of_logs(text: str, at: float | None) -> None:
    assert read_moment(text) == at


@pytest.mark.parametrize("no_time", [0.0, -5.0, NEVER, float("inf"), float("-inf"), float("nan")])
def test_what_is_no_time_is_none(no_time: float) -> None:
    assert bound_moment(no_time) is None
    assert bound_moment(1447456498.5) == 1447456498.5
