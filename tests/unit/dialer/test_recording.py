"""Names, variables and addresses of recordings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami.simulator.recording import run_dialplan
from ami.simulator.requests import read_variables
from dialer.errors import Refused
from dialer.policy import DEFAULT_POLICY, FORMATS, Policy
from dialer.recording import (
    NO_CONTEXT,
    check_recorded,
    choose_format,
    explain_refusal,
    is_recorded,
    name_recording,
    write_url,
    write_variables,
)

CDR = "0198c0de-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (None, f"acme/{CDR}"),
        ("", f"acme/{CDR}"),
        ("june", f"acme/june/{CDR}"),
        ("2026/june/", f"acme/2026/june/{CDR}"),
        ("a.wav", f"acme/a.wav/{CDR}"),
    ],
)
def test_names(path: str | None, name: str) -> None:
    assert name_recording("acme", path, CDR) == name


def test_formats_are_lower_case_and_wav_by_default() -> None:
    assert [choose_format({"recording_format": text}) for text in ("WAV", "sln", None, "")] == [
        "wav",
        "sln",
        "wav",
        "wav",
    ]


@pytest.mark.parametrize("wanted", [True, False, None])
def test_what_is_recorded(wanted: bool | None) -> None:
    assert is_recorded({"create_recording": wanted}) is (wanted is True)
    assert not is_recorded({})


PART = st.text("abYZ09_.-", min_size=1, max_size=6).filter(lambda text: text not in (".", ".."))
DATA = st.text(" ab1/@,\"\\\\()[]'&%#\u00e9", max_size=12).filter(lambda text: text[:1] != " ")


@given(
    st.text("abYZ09_.-", max_size=5).map(lambda rest: f"A{rest}"),
    st.one_of(st.none(), st.lists(PART, min_size=1, max_size=3).map("/".join)),
    st.sampled_from([*FORMATS, "WAV", None]),
    st.sampled_from(["bridged", "default", None]),
    st.sampled_from(["Dial", "dial", "Queue", "LabTell"]),
    DATA,
)
def test_what_passes_here_passes_the_dialplan_and_arrives(
    account: str,
    path: str | None,
    form: str | None,
    profile: str | None,
    application: str,
    data: str,
) -> None:
    """Whatever the rules allow is recorded below the client's folder, and the application gets its
    data letter for letter."""
    payload = {
        "recording_path": path,
        "recording_format": form,
        "mix_monitor_command": profile,
    }
    policy = Policy(recording_profiles=frozenset({"bridged"}))
    check_recorded(payload, data, policy)
    assignments = write_variables(payload, account, CDR, application, data)
    arrived = read_variables({"variable": list(assignments)})
    assert arrived["DIALER_DATA"] == data
    told = run_dialplan(arrived, "/rec", frozenset({"default", "bridged"}))
    assert told.file is not None
    assert told.file.startswith(f"/rec/{account}/")
    assert told.file.endswith(f"/{CDR}.{(form or 'wav').lower()}")
    assert told.application == {"LabTell": ""}.get(application, application.capitalize())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recording_path", "../x"),
        ("recording_format", "mp3"),
        ("mix_monitor_command", "bridged"),
    ],
)
def test_what_is_refused(field: str, value: str) -> None:
    with pytest.raises(Refused) as caught:
        check_recorded({field: value}, "", DEFAULT_POLICY)
    assert [error.field for error in caught.value.errors] == [field]


def test_data_that_grows_too_long_by_its_escapes_is_refused() -> None:
    check_recorded({}, "," * 500, DEFAULT_POLICY)
    with pytest.raises(Refused) as caught:
        check_recorded({}, "," * 501, DEFAULT_POLICY)
    assert [error.field for error in caught.value.errors] == ["action.Data"]


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://rec.example/pbx1", "https://rec.example/pbx1/acme/a.wav"),
        ("https://rec.example/pbx1/", "https://rec.example/pbx1/acme/a.wav"),
        (None, "file://pbx1/var/r%20x/%C3%A9/acme/a.wav"),
    ],
)
def test_urls(base: str | None, url: str) -> None:
    assert write_url("/var/r x/\u00e9/acme/a.wav", "acme/a.wav", "pbx1", base) == url


def test_a_server_without_the_context_is_called_that() -> None:
    said = "Extension does not exist."
    recorded = {"create_recording": True}
    assert explain_refusal(said, recorded) == f"{NO_CONTEXT} ({said})"
    assert explain_refusal(said, {}) == said
    assert explain_refusal("Permission denied", recorded) == "Permission denied"
