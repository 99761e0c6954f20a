"""What goes on the wire for an item."""

from dataclasses import replace
from typing import Any

import pytest

from ami import Originate
from ami.actions import serialize
from dialer.errors import Refused
from dialer.originate import build_originate
from dialer.policy import DEFAULT_POLICY, Policy
from dialer.store.contract import Candidate, Client
from tests.unit.dialer.builders import make_client, make_item
from tests.unit.dialer.test_batch import DOCUMENT, build

CLIENT = make_client(accountcode="real_account")


PLAIN = {**DOCUMENT, "create_recording": False}


def waiting(**action: Any) -> Candidate:
    (item,) = build({**PLAIN, "action": {**DOCUMENT["action"], **action}})
    return make_item(payload=item.payload, number=item.number, caller_id=item.caller_id)


def originate(
    candidate: Candidate, client: Client = CLIENT, policy: Policy = DEFAULT_POLICY
) -> Originate:
    return build_originate(
        candidate,
        client,
        channel_id="channel-1",
        action_id="action-1",
        cdr_id="cdr-1",
        max_duration=7200,
        policy=policy,
    )


def test_the_documents_example() -> None:
    assert originate(waiting()) == Originate(
        action_id="action-1",
        channel_id="channel-1",
        channel="PJSIP/1234567890@endpoint1",
        timeout_ms=30000,
        application="Dial",
        data="PJSIP/0987654321@endpoint2,30",
        caller_id="Your Company <1001>",
        account="real_account",
        variables=("TIMEOUT(absolute)=7200",),
        functions=frozenset({"TIMEOUT(absolute)"}),
    )


def recorded(action: dict[str, Any] | None = None, **fields: Any) -> Candidate:
    candidate = waiting(**(action or {}))
    wanted = {"create_recording": True} | fields
    return replace(candidate, payload={**candidate.payload, **wanted})


def test_a_call_that_is_to_be_recorded_goes_to_the_operators_context() -> None:
    sent = originate(recorded({"Variable": "A=1"}))
    assert (sent.application, sent.data) == (None, "")
    assert (sent.context, sent.exten, sent.priority) == ("dialer-recording", "s", 1)
    assert sent.variables == (
        "TIMEOUT(absolute)=7200",
        "DIALER_RECORDING=real_account/cdr-1",
        "DIALER_FORMAT=wav",
        "DIALER_PROFILE=default",
        "DIALER_APPLICATION=Dial",
        "DIALER_DATA=PJSIP/0987654321@endpoint2\\,30",
        "A=1",
    )
    assert b"\r\nContext: dialer-recording\r\nExten: s\r\nPriority: 1\r\n" in serialize(sent)
    assert b"EarlyMedia" not in serialize(sent)


def test_the_variables_of_a_recording_are_the_first_of_their_names() -> None:
    """Asterisk takes the first assignment of a name, and a client can not name ours at all."""
    base = recorded()
    action = {**base.payload["action"], "Variable": "DIALER_RECORDING=x"}
    with pytest.raises(Refused, match="are ours"):
        originate(replace(base, payload={**base.payload, "action": action}))


def test_a_recordings_path_format_and_profile() -> None:
    policy = Policy(recording_profiles=frozenset({"bridged"}))
    candidate = recorded(
        recording_path="2026/june/", recording_format="ULAW", mix_monitor_command="bridged"
    )
    variables = originate(candidate, policy=policy).variables
    assert "DIALER_RECORDING=real_account/2026/june/cdr-1" in variables
    assert "DIALER_FORMAT=ulaw" in variables
    assert "DIALER_PROFILE=bridged" in variables


@pytest.mark.parametrize(
    "fields",
    [
        {"recording_path": "../other"},
        {"recording_path": "/etc"},
        {"recording_format": "mp3"},
        {"mix_monitor_command": "bridged"},
        {"mix_monitor_command": "rm -rf /"},
    ],
)
def test_recordings_that_the_policy_does_not_allow(fields: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        originate(recorded(**fields))


def test_recorded_data_that_does_not_fit_its_line() -> None:
    sounds = "a" * 999
    fits = originate(recorded({"Application": "Playback", "Data": sounds + "a"}))
    line = f"Variable: {fits.variables[-1]}"
    assert len(line) == 1022
    assert line.encode() in serialize(fits)
    with pytest.raises(Refused, match="1023"):
        originate(recorded({"Application": "Playback", "Data": sounds + "aa"}))


def test_a_recorded_default_application_has_the_dialplans_spelling() -> None:
    client = replace(CLIENT, default_application="dial(PJSIP/9@t)")
    variables = originate(recorded({"Application": None}), client).variables
    assert "DIALER_APPLICATION=Dial" in variables
    assert "DIALER_DATA=PJSIP/9@t\\,30" in variables
    own = replace(CLIENT, default_application="LabTell(x)")
    assert "DIALER_APPLICATION=LabTell" in originate(recorded({"Application": None}), own).variables


def test_what_is_never_sent() -> None:
    candidate = waiting(EarlyMedia=True, Async=False, Account="someone_else")
    text = serialize(originate(candidate)).decode()
    assert "EarlyMedia" not in text
    assert "someone_else" not in text
    assert "PreDialGoSub" not in text
    assert "Async: true" in text
    assert "Account: real_account" in text


def test_spellings_are_asterisks_on_the_wire() -> None:
    action = originate(waiting(Application="dial", Channel="pjsip/1@t", Data="sip/2@t"))
    assert (action.application, action.channel, action.data) == ("Dial", "PJSIP/1@t", "SIP/2@t,30")


def test_a_dial_gets_the_items_call_timeout() -> None:
    payload = {**waiting(Data="PJSIP/2@t").payload, "call_timeout": 17}
    assert originate(make_item(payload=payload)).data == "PJSIP/2@t,17"


@pytest.mark.parametrize(
    "action", [{"Application": None}, {"Application": "Dial", "Data": None}, {"Data": ",30"}]
)
def test_the_default_application(action: dict[str, Any]) -> None:
    candidate = waiting(**action)
    sent = originate(candidate)
    assert (sent.application, sent.data) == ("Wait", "1")
    music = originate(candidate, replace(CLIENT, default_application="MusicOnHold(jazz)"))
    assert (music.application, music.data) == ("MusicOnHold", "jazz")
    dial = originate(candidate, replace(CLIENT, default_application="Dial(PJSIP/9@t,,g)"))
    assert (dial.application, dial.data) == ("Dial", "PJSIP/9@t,30,g")
    dial = originate(candidate, replace(CLIENT, default_application="Dial(PJSIP/9@t,5)"))
    assert dial.data == "PJSIP/9@t,5"
    dial = originate(candidate, replace(CLIENT, default_application="dial(PJSIP/9@t)"))
    assert dial.data == "PJSIP/9@t,30"


def test_other_applications_keep_their_data() -> None:
    sent = originate(waiting(Application="echo", Data=None))
    assert (sent.application, sent.data) == ("Echo", "")
    sent = originate(waiting(Application="Playback", Data="hello"))
    assert (sent.application, sent.data) == ("Playback", "hello")


def test_variables_have_a_header_each() -> None:
    sent = originate(waiting(Variable='A="1,2",B=3'))
    assert sent.variables == ("TIMEOUT(absolute)=7200", "A=1\\,2", "B=3")
    assert serialize(sent).count(b"Variable: ") == 3


def test_functions_of_the_operators_list() -> None:
    policy = Policy(functions=frozenset({"PJSIP_HEADER(add,X-Foo)"}))
    base = waiting()
    action = {**base.payload["action"], "Variable": "PJSIP_HEADER(add,X-Foo)=v"}
    candidate = make_item(payload={**base.payload, "action": action})
    sent = originate(candidate, policy=policy)
    assert "PJSIP_HEADER(add,X-Foo)" in sent.functions
    assert b"Variable: PJSIP_HEADER(add,X-Foo)=v\r\n" in serialize(sent)
    with pytest.raises(Refused):
        originate(candidate)


def test_local_channels_get_n() -> None:
    policy = Policy(local_contexts=frozenset({"out"}))
    base = waiting()
    action = {**base.payload["action"], "Channel": "Local/5@out", "Data": "Local/6@out"}
    candidate = make_item(payload={**base.payload, "action": action})
    sent = originate(candidate, policy=policy)
    assert (sent.channel, sent.data) == ("Local/5@out/n", "Local/6@out/n,30")
    with pytest.raises(Refused):
        originate(candidate)


@pytest.mark.parametrize(
    ("attempts", "unplaced", "sent"),
    [(0, 0, "other-chan"), (1, 0, "other-chan-2"), (1, 2, "other-chan-4")],
)
def test_other_channel_id_gets_the_attempts_suffix(attempts: int, unplaced: int, sent: str) -> None:
    candidate = replace(local_pair("other-chan"), attempts=attempts, unplaced=unplaced)
    assert originate(candidate, policy=LOCAL).other_channel_id == sent


LOCAL = Policy(local_contexts=frozenset({"out"}))


def local_pair(other: str) -> Candidate:
    base = waiting(ChannelId="client-chan", OtherChannelId=other)
    action = {**base.payload["action"], "Channel": "Local/5@out", "Data": "PJSIP/6@t"}
    return replace(base, payload={**base.payload, "action": action}, channel_base="client-chan")


def test_an_other_channel_id_is_sent_for_local_channels_alone() -> None:
    """And only beside the client's own ChannelId, which it was checked against."""
    assert originate(local_pair("x"), policy=LOCAL).other_channel_id == ""
    ours = replace(local_pair("other-chan"), channel_base=None)
    assert originate(ours, policy=LOCAL).other_channel_id == ""
    own = waiting(ChannelId="client-chan", OtherChannelId="other-chan")
    assert originate(replace(own, channel_base="client-chan")).other_channel_id == ""


@pytest.mark.parametrize("other", ["client-chan", "Client-Chan-2", "client-c"])
def test_a_pair_of_ids_that_asterisk_refuses_is_never_sent(other: str) -> None:
    with pytest.raises(Refused):
        originate(local_pair(other), policy=LOCAL)


def test_codecs_and_timeout() -> None:
    sent = originate(waiting(Codecs="ulaw,alaw", Timeout=5000))
    assert (sent.codecs, sent.timeout_ms) == ("ulaw,alaw", 5000)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(technologies=frozenset({"SIP"})),
        Policy(applications=frozenset({"Wait"})),
        Policy(endpoints=frozenset({"endpoint1"})),
    ],
)
def test_the_policy_of_today_is_asked_again(policy: Policy) -> None:
    candidate = waiting()
    assert originate(candidate).application == "Dial"
    with pytest.raises(Refused):
        originate(candidate, policy=policy)


@pytest.mark.parametrize(
    "action",
    [
        {"Channel": "PJSIP/1@t\r\nAction: Logoff"},
        {"Codecs": "ulaw\r\nX: y"},
        {"Variable": "A=1\r\nX: y"},
        {"Data": "PJSIP/1@t\r\nX: y"},
        {"OtherChannelId": "a\r\nb"},
    ],
)
def test_a_tampered_row_is_refused(action: dict[str, Any]) -> None:
    base = waiting()
    tampered = {**base.payload, "action": {**base.payload["action"], **action}}
    with pytest.raises(Refused):
        originate(make_item(payload=tampered))


def test_a_tampered_caller_id_is_refused() -> None:
    with pytest.raises(Refused):
        originate(replace(waiting(), caller_id="a\r\nAction: Logoff"))


def test_a_payload_with_the_least_in_it() -> None:
    sent = originate(make_item())
    assert (sent.application, sent.data, sent.timeout_ms) == ("Wait", "1", 30000)
