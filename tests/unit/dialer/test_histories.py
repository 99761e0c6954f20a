"""The history of calls, asked for."""

import pytest

from dialer.histories import App, CdrQuery, name_app, name_source


@pytest.mark.parametrize(
    ("quick", "application", "app"),
    [
        (True, "Playback", App.DIAL),
        (True, "Dial", App.DIAL),
        (False, "Dial", App.AUTODIALER),
        (False, "QUEUE", App.AUTODIALER),
        (False, "Playback", App.AUTOCALL),
        (False, None, App.AUTOCALL),
    ],
)
def test_what_a_call_was_for(quick: bool, application: str | None, app: App) -> None:
    assert name_app(quick, application) is app


@pytest.mark.parametrize(
    ("caller_id", "source"),
    [
        ('"Your Company" <1001>', "1001"),
        ("+98 (21) 10-01", "+98211001"),
        ("Your Company", "Your Company"),
        ("A <b>", "A <b>"),
        ("  ", None),
        (None, None),
    ],
)
def test_where_a_call_came_from(caller_id: str | None, source: str | None) -> None:
    assert name_source(caller_id) == source


def test_equal_questions_are_one() -> None:
    """What is counted for one of them is kept for the other (dialer.store.histories)."""
    one, same = (CdrQuery(1, apps=frozenset(App), dispositions=frozenset("ab")) for _ in range(2))
    assert {one: "counted"}[same] == "counted"
    assert one != CdrQuery(2, apps=frozenset(App), dispositions=frozenset("ab"))
