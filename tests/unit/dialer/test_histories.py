"""The history of calls, asked for."""

import pytest

from dialer.histories import App, name_app, name_extension, name_source


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


@pytest.mark.parametrize(
    ("application", "data", "extension"),
    [
        ("Dial", "PJSIP/101,30", "101"),
        ("dial", "PJSIP/0987654321@endpoint2,30,g", "endpoint2"),
        ("Dial", "SIP/trunk/0987", "trunk"),
        ("Dial", "Local/5@agents/n", "agents"),
        ("Dial", "101", "101"),
        ("Dial", ",30", None),
        ("Dial", "", None),
        ("Dial", None, None),
        ("Queue", "sales", None),
        (None, "PJSIP/101", None),
    ],
)
def test_the_endpoint_of_the_second_leg(
    application: str | None, data: str | None, extension: str | None
) -> None:
    assert name_extension(application, data) == extension
