"""The recording dialplan: what it records, what it runs, and where it refuses."""

import pytest

from ami.simulator.recording import Recorded, run_dialplan

PROFILES = frozenset({"default", "bridged"})


def run(**changes: str) -> Recorded:
    variables = {
        "DIALER_RECORDING": "acme/a",
        "DIALER_FORMAT": "wav",
        "DIALER_APPLICATION": "Dial",
    } | changes
    return run_dialplan(variables, "/rec", PROFILES)


@pytest.mark.parametrize("profile", ["", "default", "bridged"])
@pytest.mark.parametrize("form", ["wav", "gsm", "ulaw", "alaw", "sln"])
def test_a_recorded_call(profile: str, form: str) -> None:
    assert run(DIALER_PROFILE=profile, DIALER_FORMAT=form) == Recorded(
        ("dialer-application", "Dial", 1), f"/rec/acme/a.{form}", "Dial"
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/x",
        "../x",
        "a/../x",
        "a/..",
        "a/.",
        "./a",
        "a,b",
        "a b",
        "a|b",
        "a;b",
        "${X}",
        "\u00e9",
    ],
)
def test_names_that_are_refused(name: str) -> None:
    assert run(DIALER_RECORDING=name) == Recorded(("dialer-recording", "s", 10))


@pytest.mark.parametrize("name", ["a..b", "a/.b", "a.b-c_d/E9"])
def test_names_that_only_look_odd(name: str) -> None:
    assert run(DIALER_RECORDING=name).file == f"/rec/{name}.wav"


@pytest.mark.parametrize(
    ("changes", "context", "file"),
    [
        ({"DIALER_FORMAT": "wav49"}, "dialer-format", None),
        ({"DIALER_FORMAT": ""}, "dialer-format", None),
        ({"DIALER_PROFILE": "nobodys"}, "dialer-profile", None),
        ({"DIALER_PROFILE": "i"}, "dialer-profile", None),
        ({"DIALER_APPLICATION": "System"}, "dialer-application", "/rec/acme/a.wav"),
        ({"DIALER_APPLICATION": "dial"}, "dialer-application", "/rec/acme/a.wav"),
        ({"DIALER_APPLICATION": ""}, "dialer-application", "/rec/acme/a.wav"),
    ],
)  # fmt: skip
def test_what_the_dialplan_does_not_know(
    changes: dict[str, str], context: str, file: str | None
) -> None:
    assert run(**changes) == Recorded((context, "i", 1), file)
