"""Applications and their arguments."""

import pytest

from dialer.applications import check_application, check_data, parse_default, parse_dial_data
from dialer.policy import DEFAULT_POLICY, Policy
from tests.unit.dialer.test_policy import refused

ANY = Policy(local_contexts=frozenset({"out"}))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Dial", "Dial"),
        ("dial", "Dial"),
        ("CONFBRIDGE", "ConfBridge"),
        ("musiconhold", "MusicOnHold"),
    ],
)
def test_allowed_applications_in_any_case(given: str, name: str) -> None:
    assert check_application(given, DEFAULT_POLICY) == name


@pytest.mark.parametrize(
    "name", ["System", "AGI", "MixMonitor", "Exec", "Dial(x)", "Dial ", "Dial\r\nX: y", "Originate"]
)
def test_other_applications_are_refused(name: str) -> None:
    refused(lambda: check_application(name, DEFAULT_POLICY), "action.Application")


def test_the_operator_may_allow_more() -> None:
    policy = Policy(applications=frozenset({"Background"}))
    assert check_application("background", policy) == "Background"
    assert check_data("Background", "any prompt", policy) is None
    refused(lambda: check_application("Dial", policy), "action.Application")


@pytest.mark.parametrize(
    ("application", "data", "reason"),
    [
        ("Playback", "beep&/etc/x", "Playback takes relative names of sounds"),
        ("Playback", "a;b", "Playback takes relative names of sounds"),
        ("Playback", "${X}", "'${' is not allowed"),
        ("Playback", "a\x07", "control character U+0007"),
        ("Queue", "a&b", "'&' is not allowed in Data"),
    ],
)
def test_the_rule_that_is_broken_is_named(application: str, data: str, reason: str) -> None:
    refused(lambda: check_data(application, data, DEFAULT_POLICY), "action.Data", reason)


def test_dial_data() -> None:
    dial = parse_dial_data("PJSIP/100@trunk,30,rm(jazz)", DEFAULT_POLICY)
    assert dial is not None
    assert (dial.target.number, dial.timeout, dial.options) == ("100", "30", "rm(jazz)")
    assert dial.text(20) == "PJSIP/100@trunk,30,rm(jazz)"


def test_dial_data_never_goes_without_a_timeout() -> None:
    for data, text in (
        ("PJSIP/100@trunk", "PJSIP/100@trunk,20"),
        ("PJSIP/100@trunk,", "PJSIP/100@trunk,20"),
        ("PJSIP/100@trunk,,r", "PJSIP/100@trunk,20,r"),
        ("Local/100@out", "Local/100@out/n,20"),
    ):
        dial = parse_dial_data(data, ANY)
        assert dial is not None
        assert dial.text(20) == text


@pytest.mark.parametrize("data", ["", ",", ",30", ",30,r"])
def test_dial_without_a_target(data: str) -> None:
    assert parse_dial_data(data, DEFAULT_POLICY) is None


@pytest.mark.parametrize(
    "options",
    ["r", "R", "m", "i", "I", "c", "r(ring)", "L(60000)", "L(60000:30000:10000)", "S(60)", "irRc"],
)
def test_harmless_dial_options(options: str) -> None:
    assert check_data("Dial", f"PJSIP/1@t,30,{options}", DEFAULT_POLICY) is not None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("g", "g"),
        ("tT", "t"),
        ("rw", "w"),
        ("U(ctx)", "U"),
        ("b(ctx^s^1)", "b"),
        ("G(a^b^c)", "G"),
        ("D(123)", "D"),
        ("f(100)", "f"),
        ("e", "e"),
        ("F(a^b^1)", "F"),
        ("L", "L"),
        ("L(x)", "L"),
        ("S", "S"),
        ("r(", "("),
        ("r)", ")"),
        ("m(a b)", "("),
        ("r,http://x", ","),
    ],
)
def test_other_dial_options_are_refused(options: str, named: str) -> None:
    data = f"PJSIP/1@t,30,{options}"
    refused(lambda: check_data("Dial", data, DEFAULT_POLICY), "action.Data", f"'{named}'")


def test_dial_options_are_an_allow_list() -> None:
    policy = Policy(dial_options=frozenset("r"))
    assert check_data("Dial", "PJSIP/1@t,30,r", policy) is not None
    refused(lambda: check_data("Dial", "PJSIP/1@t,30,m", policy), "action.Data", "'m'")


@pytest.mark.parametrize("timeout", ["0", "x", "-5", "30s", " 30", "123456", "1.2345", "30^4"])
def test_dial_timeouts(timeout: str) -> None:
    refused(lambda: check_data("Dial", f"PJSIP/1@t,{timeout}", DEFAULT_POLICY), "action.Data")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("PJSIP/1@t&PJSIP/2@t,30", "'&'"),
        ("PJSIP/1@t,30|r", "'|'"),
        ("PJSIP/1@t,30,m(${X})", "${"),
        ("PJSIP/1@t,30;x", "';'"),
        ("PJSIP/1@t,30\r\nAction: Logoff", "U+000D"),
        ("Local/1@anywhere", "anywhere"),
        ("DAHDI/1,30", "DAHDI"),
        ("nonsense,30", "TECH/number@endpoint"),
    ],
)
def test_the_second_leg_obeys_the_same_rules(data: str, words: str) -> None:
    refused(lambda: check_data("Dial", data, DEFAULT_POLICY), "action.Data", words)


@pytest.mark.parametrize("word", ["CURL", "DB", "EVAL", "FILE", "ODBC", "REALTIME", "SHELL"])
def test_words_that_asterisk_refuses(word: str) -> None:
    refused(lambda: check_data("Playback", f"x{word}y", DEFAULT_POLICY), "action.Data", f"'{word}'")
    refused(lambda: check_data("Dial", f"PJSIP/{word}@t", DEFAULT_POLICY), "action.Data", word)
    assert check_data("Playback", f"x{word.lower()}y", DEFAULT_POLICY) is None


@pytest.mark.parametrize(
    ("application", "data"),
    [
        ("Playback", "hello-world"),
        ("Playback", "hello&custom/en/bye,noanswer"),
        ("Playback", "custom/en/hello,noanswer"),
        ("Playback", ""),
        ("Queue", "sales"),
        ("Queue", "sales,rn"),
        ("Queue", "sales,,,,60"),
        ("Queue", "sales,r,,custom/hold,60"),
        ("Wait", "1"),
        ("Wait", "0.5"),
        ("Echo", ""),
        ("ConfBridge", "room-1"),
        ("ConfBridge", "room-1,default_bridge,default_user,menu"),
        ("MusicOnHold", "default"),
        ("MusicOnHold", "default,30"),
    ],
)
def test_arguments_of_the_built_in_applications(application: str, data: str) -> None:
    assert check_data(application, data, DEFAULT_POLICY) is None


@pytest.mark.parametrize(
    ("application", "data"),
    [
        ("Playback", "../../etc/passwd"),
        ("Playback", "/var/spool/asterisk/monitor/other"),
        ("Playback", "http://169.254.169.254/latest"),
        ("Playback", "a&&b"),
        ("Playback", "a&/etc/passwd"),
        ("Playback", "hello,mix"),
        ("Queue", "sales,tT"),
        ("Queue", "sales,,http://x"),
        ("Queue", "sales,,,,60,script.agi"),
        ("Queue", "sales,,,,60,,ctx"),
        ("Queue", "sales,,,../x"),
        ("Wait", "long"),
        ("Wait", "${X}"),
        ("ConfBridge", "room 1"),
        ("ConfBridge", "a,b,c,d,e"),
        ("MusicOnHold", "default;x"),
        ("MusicOnHold", "default,x"),
        ("Echo", "a`b"),
        ("Echo", "a\nb"),
        ("Echo", "x" * 1017),
    ],
)
def test_other_arguments_are_refused(application: str, data: str) -> None:
    refused(lambda: check_data(application, data, DEFAULT_POLICY), "action.Data")


def test_default_applications() -> None:
    assert parse_default(None) == ("Wait", "1")
    assert parse_default("") == ("Wait", "1")
    assert parse_default("Echo") == ("Echo", "")
    assert parse_default("Playback(hello,noanswer)") == ("Playback", "hello,noanswer")
    assert parse_default("Dial(PJSIP/9@t,,g)") == ("Dial", "PJSIP/9@t,,g")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Wait 1", "App or App(arguments)"),
        ("Wait(1\n)", "App or App(arguments)"),
        ("Echo(\u2028)", "U+2028"),
        ("System(id)", "'System'"),
        ("TrySystem(id)", "'System'"),
        ("AGI(x.agi)", "'AGI'"),
        ("deadagi(x.agi)", "'agi'"),
        ("Exec(Echo)", "'Exec'"),
        ("TryExec(Echo)", "'Exec'"),
        ("ExecIf(1?Echo)", "'Exec'"),
        ("ExternalIVR(x)", "'ExternalIVR'"),
        ("MixMonitor(x.wav)", "'MixMonitor'"),
        ("StopMixMonitor", "'MixMonitor'"),
        ("Originate(PJSIP/1@t,app,Echo)", "'Originate'"),
        ("Reload", "'Reload'"),
        ("DBdeltree(x)", "'DBdeltree'"),
        ("Playback(FILE)", "'FILE'"),
        ("Set(A=SHELL)", "'SHELL'"),
        ("Playback(${X})", "'${'"),
        ("Playback(^{X})", "'^{'"),
        ("Playback( hello)", "blank"),
        ("Dial", "target"),
        ("dial(,30)", "target"),
        (f"Echo({'x' * 1012})", "1022"),
    ],
)
def test_default_applications_that_asterisk_would_refuse(text: str, words: str) -> None:
    refused(lambda: parse_default(text), "default_application", words)


def test_data_begins_with_no_blank() -> None:
    refused(lambda: check_data("Echo", " x", DEFAULT_POLICY), "action.Data", "blank")
    assert check_data("Echo", "x y ", DEFAULT_POLICY) is None


def test_a_dial_leaves_room_for_its_timeout() -> None:
    """What is sent is longer than what came: a timeout is added, and `/n` on Local."""
    options = "r" * (1022 - len("Data: PJSIP/2@t,120,"))
    dial = check_data("Dial", f"PJSIP/2@t,,{options}", DEFAULT_POLICY)
    assert dial is not None
    assert len(f"Data: {dial.text(120)}") == 1022
    refused(
        lambda: check_data("Dial", f"PJSIP/2@t,,{options}r", DEFAULT_POLICY), "action.Data", "1022"
    )


@pytest.mark.parametrize(
    ("application", "data"),
    [
        ("Wait", "١"),
        ("Dial", "PJSIP/1@t,٣٠"),
        ("Dial", "PJSIP/1@t,3٠"),
        ("Dial", "PJSIP/1@t,30,L(٣)"),
        ("Dial", "PJSIP/1@t,30,S(٣)"),
        ("Queue", "sales,,,,٣"),
        ("MusicOnHold", "default,٣"),
    ],
)
def test_digits_are_those_that_asterisk_reads(application: str, data: str) -> None:
    refused(lambda: check_data(application, data, DEFAULT_POLICY), "action.Data")


@pytest.mark.parametrize("name", ["dial", "DIAL", "page", "retrydial", "queue", "playback"])
def test_an_operators_spelling_takes_no_grammar_away(name: str) -> None:
    policy = Policy(applications=frozenset({name}))
    for given in (name, name.upper(), name.title()):
        application = check_application(given, policy)
        for data in ("x,,,PJSIP/1@other,30,G(a^s^1)", "PJSIP/1@other,b(a^s^1),U(a),G(a)", "/etc/x"):
            refused(lambda: check_data(application, data, policy), "action.Data")  # noqa: B023


ADDED = Policy(
    applications=frozenset({"RetryDial", "Page", "ChanSpy", "Background", "AddMe"}),
    technologies=frozenset({"PJSIP", "Khomp"}),
    endpoints=frozenset({"trunk"}),
    prefixes=frozenset({"98"}),
)


@pytest.mark.parametrize(
    ("application", "data"),
    [
        ("RetryDial", "custom/sorry,10,3,PJSIP/981@trunk,30,r"),
        ("RetryDial", ",,,PJSIP/981@trunk"),
        ("Page", "PJSIP/981@trunk"),
        ("Page", "PJSIP/981@trunk,dq,20"),
        ("Background", "custom/hello,n,en"),
        ("AddMe", "sales,PJSIP/981@trunk,5"),
        ("AddMe", "sales,xPJSIP/1@other"),
        ("AddMe", 'sales,"one, two"'),
    ],
)
def test_applications_that_the_operator_added(application: str, data: str) -> None:
    assert check_data(application, data, ADDED) is None


@pytest.mark.parametrize(
    ("application", "data"),
    [
        ("RetryDial", "a,1,1,PJSIP/981@other"),
        ("RetryDial", "a,1,1,PJSIP/99@trunk"),
        ("RetryDial", "a,1,1,Local/981@internal"),
        ("RetryDial", "a,1,1,PJSIP/981@trunk,30,g"),
        ("RetryDial", 'a","b,1,1,PJSIP/981@trunk,30,g'),
        ("RetryDial", "a,1,1"),
        ("RetryDial", "../x,1,1,PJSIP/981@trunk"),
        ("Page", "PJSIP/981@other"),
        ("Page", "PJSIP/981@trunk,b(x^s^1)"),
        ("Page", "PJSIP/981@trunk,A(x)"),
        ("Page", ""),
        ("ChanSpy", "PJSIP/other"),
        ("ChanSpy", "pjsip/other"),
        ("ChanSpy", "Local/1@x"),
        ("AddMe", "sales,PJSIP/981@other,5"),
        ("AddMe", "sales,PJSIP/981@trunk@other"),
        ("AddMe", 'sales,"PJSIP"/981@other'),
        ("AddMe", "sales,PJ\\SIP/981@other"),
        ("AddMe", 'sales,"PJSIP/981,@other"'),
        ("AddMe", "sales,PJSIP/981(,)@other"),
        ("AddMe", "sales,PJSIP/981 @other"),
        ("AddMe", "sales,PJSIP/981^@other"),
        ("AddMe", "sales,custom/PJSIP/981@other"),
        ("AddMe", "sales,(DAHDI/1)"),
        ("AddMe", "sales,sip/981@trunk"),
        ("AddMe", "sales,KHOMP/981@other"),
    ],
)
def test_what_they_may_dial_obeys_the_rules_of_a_channel(application: str, data: str) -> None:
    refused(lambda: check_data(application, data, ADDED), "action.Data")
