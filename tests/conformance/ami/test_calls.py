"""The same calls give the same reports on the simulator and on a real Asterisk."""

import asyncio
import uuid

import pytest

from ami import CallReport, Disposition, Message, OriginateAnswered, live_channels, translate
from tests.conformance.ami.cases import CASES, Case, Expected, answered, straight
from tests.conformance.ami.conftest import Peer
from tests.conformance.ami.dialing import Dialing, dialing
from tests.patience import PATIENCE
from tests.standstill import Watch

RECORDINGS = "/var/lab/recordings"

MEASURED = 4
"""So often at most."""


@pytest.fixture(scope="module")
def reports(peer: Peer) -> dict[str, CallReport]:
    """The reports of all cases, dialed at once on a machine that did not stand still meanwhile, of
    `MEASURED` times the last."""

    async def dial_all() -> dict[str, CallReport]:
        async with peer() as address, dialing(address) as calls:
            begun = {name: calls.originate(case) for name, case in CASES.items()}
            ended = await asyncio.gather(*(calls.report(call) for call in begun.values()))
            assert len(calls.tracker) == 0
            return dict(zip(begun, ended, strict=True))

    for _ in range(MEASURED):
        with Watch() as watch:
            found = asyncio.run(dial_all())
        if not watch.stood_still:
            break
    return found


def observe(report: CallReport, expected: Expected) -> Expected:
    """The report as far as `expected` says anything; times within coarse bounds are as expected."""
    leg_b = report.leg_b
    ring = talk = None
    if report.answered_at is not None:
        ring = near(expected.ring, report.answered_at - (report.ringing_at or 0.0))
        talk = near(expected.talk, report.ended_at - report.answered_at)
    return Expected(
        disposition=report.disposition,
        cause=report.cause,
        sip_code=report.sip_code,
        reason=report.reason,
        dial_status=report.dial_status,
        rang=report.rang,
        placed=report.placed,
        connected_b=report.connected_b,
        leg_b=(leg_b.dial_status, leg_b.cause, leg_b.sip_code) if leg_b else None,
        ring=ring,
        talk=talk,
        recording=report.recording.removeprefix(RECORDINGS) if report.recording else None,
    )


def near(wanted: float | None, seconds: float) -> float:
    return wanted if wanted is not None and -0.5 < seconds - wanted < 1.5 else seconds


@pytest.mark.parametrize("name", CASES)
def test_report(reports: dict[str, CallReport], name: str) -> None:
    report, expected = reports[name], CASES[name].expected
    assert observe(report, expected) == expected
    assert report.end_estimated is False
    # Of every call that is PJSIP's, also of one that was refused at once.
    pjsip = CASES[name].channel.startswith("PJSIP/") and expected.placed
    assert (report.sip_call_id is not None) == pjsip
    assert report.started_at <= report.ended_at


ANSWERED_SHORTLY = Case(straight("08"), answered(16, talk=0.1))
LONG = Case(straight("07"), answered(0, talk=1.0), data="1")


async def first_response(calls: Dialing, action_id: str) -> OriginateAnswered:
    """The OriginateResponse to that action, looked for on every turn of the loop."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for message in calls.messages:
                event = translate(message, 0.0)
                if isinstance(event, OriginateAnswered) and event.action_id == action_id:
                    return event
            await asyncio.sleep(0)


async def test_a_live_id_is_refused_and_its_call_unharmed(peer: Peer) -> None:
    async with peer() as address, dialing(address) as calls:
        call = calls.originate(LONG)
        await until_live(calls, call)
        again = Dialing.request(LONG, call, str(uuid.uuid4()))
        response = await calls.client.originate(again)
        assert response.get("Message") == "Originate successfully queued"
        refused = await first_response(calls, again.action_id)
        assert (refused.success, refused.reason, refused.uniqueid) == (False, 0, call)
        report = await calls.report(call)
        assert report.disposition is Disposition.ANSWERED


async def test_the_beginning_of_a_live_id_is_refused_in_any_case(peer: Peer) -> None:
    async with peer() as address, dialing(address) as calls:
        call = f"conf-{uuid.uuid4()}"
        calls.originate(LONG, call)
        await until_live(calls, call)
        beginning = calls.originate(ANSWERED_SHORTLY, call[:-3].upper())
        report = await calls.report(beginning)
        assert (report.disposition, report.placed) == (Disposition.FAILED, False)
        assert (await calls.report(call)).disposition is Disposition.ANSWERED
        # Once the other has ended the same id dials.
        report = await calls.report(calls.originate(ANSWERED_SHORTLY, call[:-3].upper()))
        assert report.disposition is Disposition.ANSWERED


async def test_channels_are_listed_while_they_live(peer: Peer) -> None:
    case = Case(straight("07"), answered(0, talk=1.0), "Dial", "PJSIP/9002@carrier,1")
    async with peer() as address, dialing(address) as calls:
        call = calls.originate(case)
        listed = await until_live(calls, call, channels=2)
        own = next(channel for channel in live_channels(listed) if channel.uniqueid == call)
        assert own.up
        assert own.duration is not None
        assert 0 <= own.duration < 30
        other = next(channel for channel in live_channels(listed) if channel.uniqueid != call)
        assert other.linkedid == call
        await calls.report(call)
        assert listed_of(await calls.client.channels(), call) == ()


def listed_of(messages: tuple[Message, ...], call: str) -> tuple[Message, ...]:
    return tuple(message for message in messages if message.get("Linkedid") == call)


async def until_live(calls: Dialing, call: str, channels: int = 1) -> tuple[Message, ...]:
    """The call's channels as listed, once so many are."""
    async with asyncio.timeout(PATIENCE):
        while True:
            listed = listed_of(await calls.client.channels(), call)
            if len(listed) >= channels:
                return listed
