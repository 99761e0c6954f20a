"""What the PBXs' configuration promises: endpoints, rights, filters, applications, recording."""

import pytest

from tests.lab.raw_ami import RawAmi
from tests.lab.running_lab import Lab, Server
from tests.lab.table_calls import belongs, is_over, logged_in, originate, unique

pytestmark = pytest.mark.lab


async def originate_and_end(server: Server, identity: str, channel: str) -> RawAmi:
    """The session after the OriginateResponse and, where a channel was made, its Hangup."""
    async with logged_in(server) as ami:
        ami.forget()
        headers = {"ActionID": identity, "ChannelId": identity, "Channel": channel}
        more = {"Application": "Wait", "Data": "1", "Timeout": "1000", "Async": "true"}
        ami.send("Originate", headers | more)
        await ami.first(lambda m: m.event == "OriginateResponse" and m["ActionID"] == identity)
        if any(m.event == "Newchannel" and m["Uniqueid"] == identity for m in ami.messages):
            await ami.until(lambda session: is_over(session, {identity}))
        return ami


@pytest.mark.parametrize("code", ["pbx1", "pbx2"])
async def test_dead_trunk_times_out_without_ringing(lab: Lab, code: str) -> None:
    server: Server = getattr(lab, code)
    identity = unique(f"dead-trunk-{code}")
    ami = await originate_and_end(server, identity, "PJSIP/9000@dead")
    ours = [m for m in ami.messages if m["Uniqueid"] == identity]
    assert [m["Reason"] for m in ours if m.event == "OriginateResponse"] == ["3"]
    assert [(m["Cause"], m["TechCause"]) for m in ours if m.event == "Hangup"] == [("19", "480")]
    assert not [m for m in ours if m.event == "Newstate"]


@pytest.mark.parametrize("code", ["pbx1", "pbx2"])
async def test_no_contact_makes_no_channel(lab: Lab, code: str) -> None:
    server: Server = getattr(lab, code)
    identity = unique(f"no-contact-{code}")
    ami = await originate_and_end(server, identity, "PJSIP/9000@nocontact")
    ours = [m for m in ami.messages if belongs(m, identity)]
    assert [m.event or m["Response"] for m in ours] == ["Success", "OriginateResponse"]


@pytest.mark.parametrize("endpoint", ["endpoint1", "endpoint2", "provider1"])
async def test_the_documents_endpoints_lead_to_the_carrier(lab: Lab, endpoint: str) -> None:
    identity = unique(f"alias-{endpoint}")
    ami = await originate_and_end(lab.pbx2, identity, f"PJSIP/9001@{endpoint}")
    hangup = await ami.first(lambda m: m.event == "Hangup" and m["Uniqueid"] == identity)
    assert hangup["Cause"] == "17"


async def test_local_channel_leads_to_the_carrier(lab: Lab) -> None:
    identity = unique("local-busy")
    ami = await originate_and_end(lab.pbx2, identity, "Local/9001@lab-out/n")
    hangup = await ami.first(lambda m: m.event == "Hangup" and m["Uniqueid"] == identity)
    assert hangup["Cause"] == "17"


@pytest.mark.parametrize(
    ("action", "headers"),
    [
        ("Command", {"Command": "core show version"}),
        ("Filter", {"Operation": "Add", "Filter": "Event: Hangup"}),
        ("MixMonitor", {"Channel": "none"}),
        ("GetConfig", {"Filename": "manager.conf"}),
        ("ModuleLoad", {"LoadType": "reload"}),
    ],
)
async def test_the_dialer_user_may_do_no_more(
    lab: Lab, action: str, headers: dict[str, str]
) -> None:
    async with logged_in(lab.pbx1) as ami:
        refused = await ami.ask(action, {"ActionID": f"may-not-{action}", **headers})
    assert (refused["Response"], refused["Message"]) == ("Error", "Permission denied")


@pytest.mark.parametrize("code", ["pbx1", "pbx2"])
async def test_asterisk_itself_ends_a_call_that_lasts_too_long(lab: Lab, code: str) -> None:
    """By the variable that stands on every Originate: else this call lasts 30 s."""
    server: Server = getattr(lab, code)
    identity = unique(f"too-long-{code}")
    async with logged_in(server) as ami:
        headers = {"ActionID": identity, "ChannelId": identity, "Channel": "PJSIP/900007@carrier"}
        more = {"Application": "Wait", "Data": "60", "Async": "true"}
        ami.send("Originate", headers | more | {"Variable": "TIMEOUT(absolute)=1"})
        await ami.first(lambda m: m.event == "Hangup" and m["Uniqueid"] == identity)
        assert any(m["ChannelStateDesc"] == "Up" for m in ami.messages if belongs(m, identity))


APPLICATIONS = {
    "Playback": "beep",
    "Echo": "",
    "ConfBridge": "lab-test",
    "MusicOnHold": "default",
    "Queue": "lab",
    "Dial": "PJSIP/9007@carrier",
}


async def test_applications_run(lab: Lab) -> None:
    """Each keeps the answered channel until the callee has talked its 2 s, Playback for a beep.

    With an application that is not loaded the call would end as it is answered.
    """
    async with logged_in(lab.pbx2) as ami:
        for application, data in APPLICATIONS.items():
            identity = unique(f"application-{application}")
            headers = {"ActionID": identity, "ChannelId": identity, "Timeout": "5000"}
            runs = {"Channel": "PJSIP/9000@carrier", "Application": application, "Data": data}
            ami.send("Originate", headers | runs | {"Async": "true"})
        await ami.until(
            lambda s: is_over(s, {unique(f"application-{name}") for name in APPLICATIONS})
        )
        lasted = {
            name: answered_seconds(ami, unique(f"application-{name}")) for name in APPLICATIONS
        }
    too_short = {
        name for name, time in lasted.items() if time < (0.1 if name == "Playback" else 1.5)
    }
    assert not too_short, lasted


def answered_seconds(ami: RawAmi, identity: str) -> float:
    """From the OriginateResponse, which must be a success, to the Hangup."""
    ours = [m for m in ami.messages if m["Uniqueid"] == identity]
    (answer,) = (m for m in ours if m.event == "OriginateResponse")
    (end,) = (m for m in ours if m.event == "Hangup")
    assert answer["Response"] == "Success"
    return float(end["Timestamp"]) - float(answer["Timestamp"])


async def test_recording_context_records_and_runs_the_application(lab: Lab) -> None:
    identity = unique("recorded-dial")
    async with logged_in(lab.pbx2) as ami:
        headers = {
            "ActionID": identity,
            "ChannelId": identity,
            "Channel": "PJSIP/9007@carrier",
            "Context": "dialer-recording",
            "Exten": "s",
            "Priority": "1",
            "Timeout": "5000",
            "Async": "true",
        }
        variables = [
            ("Variable", f"DIALER_RECORDING=tests/{identity}"),
            ("Variable", "DIALER_FORMAT=wav"),
            ("Variable", "DIALER_APPLICATION=Dial"),
            ("Variable", "DIALER_DATA=PJSIP/9008@carrier\\,20"),
        ]
        ami.send("Originate", [*headers.items(), *variables])
        await ami.until(lambda session: is_over(session, {identity}))
        ours = [m for m in ami.messages if m["Linkedid"] == identity]
    assert sum(m.event == "BridgeEnter" for m in ours) == 2
    (told,) = (m for m in ours if m["UserEvent"] == "DialerRecording")
    assert told["Uniqueid"] == identity
    assert told["File"] == f"/var/lab/recordings/tests/{identity}.wav"
    recording = lab.run_folder / "recordings" / "tests" / f"{identity}.wav"
    assert recording.read_bytes().startswith(b"RIFF")


HOSTILE = {
    "DIALER_APPLICATION": ["System", "Exec", "System(touch x)", "dial", "i", ""],
    "DIALER_PROFILE": ["nobodys", "i", "default\\,1)", "../default-x"],
    "DIALER_FORMAT": ["mp3", "wav49", "", "wav|touch", "i"],
    "DIALER_RECORDING": [
        "../away", "tests/../../away", "/var/lab/away", "tests/..", "./away", "",
        "away\\,b\\,touch", "away|touch", "away;touch", "away away",
    ],
}  # fmt: skip


async def test_recording_context_does_nothing_else(lab: Lab) -> None:
    """Every value that it does not know ends the call, and nothing of it is run or written."""
    calls = {
        unique(f"recorded-{name}-{index}"): (name, value)
        for name, values in HOSTILE.items()
        for index, value in enumerate(values)
    }
    async with logged_in(lab.pbx2) as ami:
        for identity, (name, value) in calls.items():
            headers = {"ActionID": identity, "ChannelId": identity, "Channel": "PJSIP/9007@carrier"}
            place = {"Context": "dialer-recording", "Exten": "s", "Priority": "1"}
            variables = {
                "DIALER_RECORDING": f"tests/{identity}",
                "DIALER_FORMAT": "wav",
                "DIALER_PROFILE": "default",
                "DIALER_APPLICATION": "Wait",
                "DIALER_DATA": "touch /var/lab/recordings/ran",
            } | {name: value}
            lines = [("Variable", f"{key}={text}") for key, text in variables.items()]
            ami.send("Originate", [*(headers | place).items(), *lines, ("Async", "true")])
        await ami.until(lambda session: is_over(session, set(calls)))
        causes = {
            calls[m["Uniqueid"]]: m["Cause"]
            for m in ami.messages
            if m.event == "Hangup" and m["Uniqueid"] in calls
        }
        told = {m["Uniqueid"] for m in ami.messages if m["UserEvent"] == "DialerRecording"}
    assert causes == dict.fromkeys(calls.values(), "38")
    # The application's name is looked at when the recording has begun, all else before.
    assert {calls[identity][0] for identity in told} == {"DIALER_APPLICATION"}
    written = {path.name for path in lab.run_folder.rglob("*away*")}
    assert not written
    assert not (lab.run_folder / "recordings" / "ran").exists()


async def test_filters_leave_what_the_dialer_needs(lab: Lab) -> None:
    """The unfiltered user, with the same rights, sees more; the dialer's user is spared it."""
    identity = unique("filtered")
    loud = Server("pbx2", lab.pbx2.port, "unfiltered")
    async with logged_in(lab.pbx2) as quiet_ami, logged_in(loud) as loud_ami:
        originate(quiet_ami, identity, "9008")
        for session in (quiet_ami, loud_ami):
            await session.until(lambda s: is_over(s, {identity}))
        quiet, loud_events = (
            {m.event for m in session.messages if m.event and belongs(m, identity)}
            for session in (quiet_ami, loud_ami)
        )
    wanted = {"Newchannel", "Newstate", "DialBegin", "DialEnd", "OriginateResponse", "Hangup"}
    assert wanted | {"UserEvent"} <= quiet <= wanted | {"UserEvent", "DialState"}
    assert {"NewConnectedLine", "HangupRequest"} & loud_events


async def test_a_starred_number_presses_a_key(lab: Lab) -> None:
    identity = unique("starred")
    async with logged_in(lab.pbx2) as ami:
        originate(ami, identity, "*9007")
        key = await ami.first(lambda m: m.event == "DTMFEnd" and m["Uniqueid"] == identity)
        await ami.ask("Hangup", {"ActionID": f"{identity}-end", "Channel": identity})
    assert (key["Digit"], key["Direction"]) == ("5", "Received")
