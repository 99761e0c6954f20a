"""What may reach the AMI wire."""

from collections.abc import Callable
from functools import partial

import pytest

from dialer.errors import Refused
from dialer.policy import (
    DEFAULT_POLICY,
    DialTarget,
    Policy,
    check_caller_id,
    check_caller_number,
    check_channel_ids,
    check_codecs,
    check_dial_string,
    check_evaluated,
    check_gosub,
    check_line,
    check_recording,
    check_text,
    fits_wire,
    has_control,
    is_dial_part,
    parse_dial_string,
)


def refused(check: Callable[[], object], field: str, *words: str) -> str:
    """The message of the one refusal of `field`, which holds `words`."""
    with pytest.raises(Refused) as caught:
        check()
    (error,) = caught.value.errors
    assert error.field == field
    assert error.index is None
    for word in words:
        assert word in error.message
    return error.message


CONTROLS = ["\x00", "\r", "\n", "\t", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\u2028", "\u2029"]


@pytest.mark.parametrize("control", [*CONTROLS, "\ud800"])
def test_control_characters_are_refused_by_name(control: str) -> None:
    assert has_control(f"a{control}b")
    refused(lambda: check_text("project", f"a{control}b"), "project", f"U+{ord(control):04X}")


@pytest.mark.parametrize("text", ["", "plain", "naïve 한국어 😀", "a\u00a0b"])
def test_other_characters_pass(text: str) -> None:
    assert not has_control(text)
    check_text("project", text)


def test_a_line_may_have_1022_bytes() -> None:
    check_line("action.Data", "Data", "x" * (1022 - len("Data: ")))
    refused(lambda: check_line("action.Data", "Data", "x" * 1017), "action.Data", "1023", "1022")
    check_line("action.Data", "Data", "é" * 508)
    refused(lambda: check_line("action.Data", "Data", "é" * 509), "action.Data")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("PJSIP/100@trunk", ("PJSIP", "100", "trunk", "PJSIP/100@trunk")),
        ("PJSIP/trunk/+98100", ("PJSIP", "+98100", "trunk", "PJSIP/trunk/+98100")),
        ("SIP/phone-1", ("SIP", "phone-1", "phone-1", "SIP/phone-1")),
        ("IAX2/*43#@peer.example", ("IAX2", "*43#", "peer.example", "IAX2/*43#@peer.example")),
        ("Local/100@out", ("Local", "100", "out", "Local/100@out/n")),
        ("Local/100@out/n", ("Local", "100", "out", "Local/100@out/n")),
        ("local/100@out", ("Local", "100", "out", "Local/100@out/n")),
    ],
)
def test_the_four_forms(text: str, target: tuple[str, str, str, str]) -> None:
    assert parse_dial_string(text) == DialTarget(*target)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "100",
        "PJSIP",
        "PJSIP/",
        "/100",
        "PJSIP/@trunk",
        "PJSIP/100@",
        "PJSIP/100@a@b",
        "PJSIP/100@trunk/n",
        "PJSIP/a/b/c",
        "PJSIP/trunk/sip:100@evil.example",
        "PJSIP/100 @trunk",
        "PJSIP/100@trunk,30",
        "PJSIP/100@trunk(x)",
        "Local/100",
        "Local/100/n",
        "Local/100@out/nj",
        "PJSIP/۱۲۳@trunk",
        "PJSIP/100@trunk\n",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    refused(lambda: parse_dial_string(text), "action.Channel")


@pytest.mark.parametrize("token", ["${", "$[", "&", "|", "`", ";"])
def test_what_asterisk_takes_apart_is_named(token: str) -> None:
    text = f"PJSIP/100{token}@trunk"
    refused(lambda: check_dial_string(text, DEFAULT_POLICY), "action.Channel", f"'{token}'")


@pytest.mark.parametrize("control", CONTROLS)
def test_controls_in_a_dial_string_are_named(control: str) -> None:
    text = f"PJSIP/100{control}@trunk"
    refused(lambda: check_dial_string(text, DEFAULT_POLICY), "action.Channel", "U+")


def test_a_channel_has_200_bytes() -> None:
    longest = "PJSIP/" + "1" * 190 + "@abc"
    assert check_dial_string(longest, DEFAULT_POLICY).number == "1" * 190
    refused(lambda: check_dial_string(longest + "d", DEFAULT_POLICY), "action.Channel", "201")


def test_technologies_are_an_allow_list_in_any_case() -> None:
    target = check_dial_string("pjsip/100@trunk", DEFAULT_POLICY)
    assert (target.tech, target.text) == ("PJSIP", "PJSIP/100@trunk")
    refused(lambda: check_dial_string("DAHDI/1", DEFAULT_POLICY), "action.Channel", "DAHDI")
    assert check_dial_string("DAHDI/1", Policy(technologies=frozenset({"DAHDI"}))).number == "1"


def test_endpoints_are_an_allow_list_when_there_is_one() -> None:
    policy = Policy(endpoints=frozenset({"trunk"}))
    assert check_dial_string("PJSIP/100@trunk", policy).endpoint == "trunk"
    for text in ("PJSIP/100@other", "PJSIP/other/100", "PJSIP/other", "PJSIP/trunk/other"):
        refused(lambda text=text: check_dial_string(text, policy), "action.Channel", "other")  # type: ignore[misc]


def test_behind_an_endpoint_of_pjsip_stands_another() -> None:
    """Asterisk 22 calls the contacts of the AOR `other` then; a number there is dialed nowhere."""
    policy = Policy(
        technologies=frozenset({"pjsip", "SIP", "IAX2"}), endpoints=frozenset({"trunk", "trunk-b"})
    )
    message = refused(lambda: check_dial_string("PJSIP/trunk/100", policy), "action.Channel", "100")
    assert message.endswith("write PJSIP/100@trunk")
    for text in ("PJSIP/trunk/trunk-b", "PJSIP/100@trunk", "SIP/trunk/100", "IAX2/trunk/100"):
        assert check_dial_string(text, policy).endpoint == "trunk"


def test_destinations_are_an_allow_list_when_there_is_one() -> None:
    policy = Policy(prefixes=frozenset({"98", "+98"}), local_contexts=frozenset({"out"}))
    for text in (
        "PJSIP/98100@t", "PJSIP/+98@t", "SIP/t/98100", "IAX2/t/98100", "PJSIP/98", "Local/981@out",
    ):  # fmt: skip
        assert check_dial_string(text, policy).number.lstrip("+").startswith("98")
    for text in (
        "PJSIP/9@t", "PJSIP/0098@t", "PJSIP/ 98@t", "PJSIP/9-8@t", "PJSIP/#98@t", "PJSIP/98/1",
        "PJSIP/1@98", "PJSIP/٩٨@t", "SIP/98/1", "SIP/98100/t", "IAX2/98@t", "iax2/98@t", "PJSIP/t",
        "Local/1@out", "Local/1@98",
    ):  # fmt: skip
        refused(lambda: check_dial_string(text, policy), "action.Channel")  # noqa: B023
    lower = Policy(technologies=frozenset({"iax2"}), prefixes=frozenset({"98"}))
    refused(lambda: check_dial_string("IAX2/98@t", lower), "action.Channel", "IAX2/trunk/number")
    nowhere = Policy(prefixes=frozenset())
    refused(lambda: check_dial_string("PJSIP/98100@t", nowhere), "action.Channel", "prefixes")
    assert check_dial_string("PJSIP/9@t", Policy(prefixes=frozenset({""}))).number == "9"


def test_caller_ids_are_an_allow_list_when_there_is_one() -> None:
    policy = Policy(caller_ids=frozenset({"1001", "+98211001"}))
    for text in ("1001", "A <1001>", '"A B" <1001>', "+98 (21) 10-01", "(1001)"):
        check_caller_number(text, policy, None)
    for text in ("2002", "1001 <2002>", "A", "A <1001> <2002>", "10010", "", "A <sip:1001@x>"):
        refused(lambda: check_caller_number(text, policy, None, "dids"), "dids")  # noqa: B023


def test_the_clients_own_number_is_the_operators_word() -> None:
    policy = Policy(caller_ids=frozenset())
    for text in ("2002", "A <2002>", "B <20-02>"):
        check_caller_number(text, policy, "A <2002>")
    check_caller_number("Anonymous", policy, "Anonymous")
    refused(lambda: check_caller_number("Other", policy, "Anonymous"), "action.CallerID")
    refused(lambda: check_caller_number("1", policy, "A <2002>"), "action.CallerID", "not allowed")
    check_caller_number("anything", DEFAULT_POLICY, None)


def test_local_contexts_are_an_allow_list() -> None:
    refused(lambda: check_dial_string("Local/100@out", DEFAULT_POLICY), "action.Channel", "'out'")
    policy = Policy(local_contexts=frozenset({"out"}))
    assert check_dial_string("Local/100@out", policy).text == "Local/100@out/n"
    refused(lambda: check_dial_string("Local/1@default", policy), "action.Channel", "default")


def test_caller_ids() -> None:
    check_caller_id("Your Company <1001>")
    check_caller_id("AT&T <1001>")
    check_caller_id("x" * 80)
    refused(lambda: check_caller_id("x" * 81), "action.CallerID", "81", "80")
    refused(lambda: check_caller_id("é" * 41), "action.CallerID", "82")
    refused(lambda: check_caller_id("a\r\nAction: Logoff"), "action.CallerID", "U+000D")
    refused(lambda: check_caller_id("${SHELL(id)}", "caller_id"), "caller_id", "${")


def test_evaluated() -> None:
    check_evaluated("f", "$ {5} [6]")
    refused(lambda: check_evaluated("f", "a$[1+1]"), "f", "$[")
    refused(lambda: check_evaluated("f", "a^{X}"), "f", "^{")
    refused(lambda: check_evaluated("f", 'a$\\"{X}'), "f")


@pytest.mark.parametrize("text", ["ulaw", "ulaw,alaw", "g722,slin16"])
def test_codecs(text: str) -> None:
    check_codecs(text)


@pytest.mark.parametrize("text", ["", "ulaw alaw", "!all", "ulaw,", "ulaw\r\nX: y", "a" * 1020])
def test_other_codecs_are_refused(text: str) -> None:
    refused(lambda: check_codecs(text), "action.Codecs")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("0190a7c6-8f3e-7b2a-9c4d-1e2f3a4b5c6d", True),
        ("0190A7C6-8F3E-7B2A-9C4D-1E2F3A4B5C6D", True),
        ("channel-123", True),
        ("a" * 8, True),
        ("a" * 140, True),
        ("a" * 7, False),
        ("a" * 141, False),
        ("1channel-123", False),
        ("channel.123", False),
        ("channel 123", False),
        ("0190a7c68f3e7b2a9c4d1e2f3a4b5c6d", False),
    ],
)
def test_channel_ids_that_fit_the_wire(text: str, fits: bool) -> None:
    assert fits_wire(text) is fits


def test_channel_ids_as_a_pair() -> None:
    check_channel_ids(None, None, local=True)
    check_channel_ids("my id, any text", None, local=True)
    check_channel_ids("channel-1", "channel-2", local=True)
    check_channel_ids(None, "channel-2", local=True)
    refused(lambda: check_channel_ids("a\nb", None, local=False), "action.ChannelId")
    refused(lambda: check_channel_ids(None, "a;2", local=False), "action.OtherChannelId", "';'")
    refused(lambda: check_channel_ids(None, "a\nb", local=False), "action.OtherChannelId")


@pytest.mark.parametrize(
    "pair",
    [("Abc-1234", "abc-1234"), ("channel-1", "CHANNEL-10"), ("channel-10", "Channel-1")],
)
def test_an_id_that_begins_the_other_is_refused_for_local_channels(pair: tuple[str, str]) -> None:
    refused(lambda: check_channel_ids(*pair, local=True), "action.OtherChannelId", "differ")
    check_channel_ids(*pair, local=False)  # Asterisk does not look at it


def test_a_caller_id_begins_with_no_blank() -> None:
    check_caller_id('"A B" <1>')
    for text in (" 1001", " ", '  "A" <1>'):
        refused(lambda: check_caller_id(text, "caller_id"), "caller_id", "blank")  # noqa: B023


def test_a_local_channel_leaves_room_for_its_n() -> None:
    policy = Policy(local_contexts=frozenset({"out"}))
    number = "1" * (200 - len("Local/@out/n"))
    assert len(check_dial_string(f"Local/{number}@out", policy).text) == 200
    refused(lambda: check_dial_string(f"Local/{number}1@out", policy), "action.Channel", "200")


def test_gosub_contexts() -> None:
    refused(lambda: check_gosub("pre,s,1", DEFAULT_POLICY), "action.PreDialGoSub", "'pre'")
    policy = Policy(gosub_contexts=frozenset({"pre"}))
    check_gosub("pre,s,1", policy)
    check_gosub("pre^s^1", policy)
    refused(lambda: check_gosub("other,s,1", policy), "action.PreDialGoSub", "other")
    refused(lambda: check_gosub("pre,s,1(${X})", policy), "action.PreDialGoSub", "${")


@pytest.mark.parametrize("path", ["a.wav", "2024/calls/a-1.wav", "a..b", "a/", "a/b/", "x" * 255])
def test_recording_paths(path: str) -> None:
    check_recording(path, "wav", None, DEFAULT_POLICY)


@pytest.mark.parametrize(
    "path",
    ["/x", "../a", "a/../b", "a//b", "./a", "a b", "a;b", "a\\b", "a\nb", "/", "a//", "a/../",
     "x" * 256, "a,b", "a\u00e9"],
)  # fmt: skip
def test_recording_paths_outside(path: str) -> None:
    refused(lambda: check_recording(path, None, None, DEFAULT_POLICY), "recording_path")


def test_recording_formats_and_profiles() -> None:
    for form in (None, "", "wav", "WAV", "gsm", "uLaw", "alaw", "sln"):
        check_recording(None, form, None, DEFAULT_POLICY)
    for form in ("wav;x", "mp3", "wav49", "wav "):
        check = partial(check_recording, None, form, None, DEFAULT_POLICY)
        refused(check, "recording_format")
    listed = Policy(recording_profiles=frozenset({"stereo", "rm -rf /", "a-b", "x" * 65}))
    for name in ("default", "stereo"):
        check_recording(None, None, name, listed)
    check_recording(None, None, "default", DEFAULT_POLICY)
    refused(lambda: check_recording(None, None, "stereo", DEFAULT_POLICY), "mix_monitor_command")
    for name in ("rm -rf /", "a-b", "x" * 65, "Default", "stereo\n"):
        refused(partial(check_recording, None, None, name, listed), "mix_monitor_command")


def test_dial_parts() -> None:
    assert is_dial_part("+98100")
    assert is_dial_part("trunk.example")
    for text in ("", "a/b", "a@b", "a b", "a&b", "1\n"):
        assert not is_dial_part(text)
