"""A server's link: calls are tracked from before their Originate, and found again after a gap."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from ami import (
    ActionTimeout,
    Address,
    CallEffect,
    CallEnded,
    CallReport,
    LinkChange,
    LinkDown,
    LinkState,
    Message,
    Originate,
    ServerStatus,
    parse_message,
)
from dialer.server_link import LIST_RETRY, LinkListener, ServerLink
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_server
from tests.unit.dialer.clocks import FakeClock

CHANNEL = (
    "Event: CoreShowChannel\r\nChannel: PJSIP/carrier-1\r\nChannelState: 6\r\n"
    "ChannelStateDesc: Up\r\nUniqueid: chan-1\r\nLinkedid: chan-1\r\nDuration: 00:00:07"
)


class FakeClient:
    """Stands for an AmiClient: remembers what was asked, answers what it is told."""

    def __init__(self, address: Address, **callbacks: Callable[..., None]) -> None:
        self.up = False
        self.on_event = callbacks["on_event"]
        self.on_link = callbacks["on_link"]
        self.sent: list[Originate] = []
        self.hung_up: list[str] = []
        self.lists: asyncio.Queue[tuple[Message, ...]] = asyncio.Queue()
        self.listed = asyncio.Event()
        self.startup = "2026-01-01 10:00:00"

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def originate(self, originate: Originate) -> "asyncio.Future[Message]":
        if not self.up:
            raise LinkDown("down")
        self.sent.append(originate)
        return asyncio.get_running_loop().create_future()

    async def channels(self) -> tuple[Message, ...]:
        rows = await self.lists.get()
        self.listed.set()
        return rows

    async def core_status(self) -> ServerStatus:
        return ServerStatus(self.startup, 1, event("Response: Success"))

    async def hangup(self, channel_id: str, cause: int | None = None) -> bool:
        self.hung_up.append(channel_id)
        return True

    def come_up(self, startup: str = "2026-01-01 10:00:00") -> None:
        self.up = True
        self.startup = startup
        self.on_link(LinkChange(LinkState.UP, 0.0, "booted", startup))

    def go_down(self) -> None:
        self.up = False
        self.on_link(LinkChange(LinkState.DOWN, 0.0, "lost"))


class Desk:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.effects: list[CallEffect] = []
        self.ups: list[bool] = []
        self.reported: list[bool] = []
        self.failures: list[BaseException] = []
        self.ended = asyncio.Event()
        self.link = ServerLink(
            make_server(1),
            Address("127.0.0.1", 5038, "dialer", "secret"),
            LinkListener(
                on_effects=self._on_effects,
                on_change=lambda link, _renewed: self.ups.append(link.up),
                on_reported=lambda _link: self.reported.append(True),
                on_failure=self.failures.append,
            ),
            self.clock,
            max_call_duration=7200,
            make_client=FakeClient,  # type: ignore[arg-type]
        )

    def _on_effects(self, effects: Sequence[CallEffect]) -> None:
        self.effects += effects
        if self.reports:
            self.ended.set()

    @property
    def client(self) -> FakeClient:
        client = self.link._client
        assert isinstance(client, FakeClient)
        return client

    @property
    def reports(self) -> list[CallReport]:
        return [effect.report for effect in self.effects if isinstance(effect, CallEnded)]

    def place(self) -> None:
        self.link.originate(
            Originate(
                channel="PJSIP/1@c",
                channel_id="chan-1",
                action_id="act-1",
                application="Wait",
                timeout_ms=30_000,
            )
        )

    async def compare(self, *lists: tuple[Message, ...], seconds: float = 6.0) -> None:
        """Let reconciliation see these lists, `seconds` apart."""
        task = asyncio.ensure_future(self.link.run())
        for rows in lists:
            self.client.listed.clear()
            self.client.lists.put_nowait(rows)
            self.link._look.set()
            async with asyncio.timeout(PATIENCE):
                await self.client.listed.wait()
            for _ in range(5):
                await asyncio.sleep(0)
            self.clock.advance(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def event(text: str) -> Message:
    message = parse_message(text.encode())
    assert message is not None
    return message


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_a_call_is_tracked_and_its_end_told(desk: Desk) -> None:
    desk.client.come_up()
    desk.place()
    assert "chan-1" in desk.link.tracker
    desk.client.on_event(
        event(
            "Event: OriginateResponse\r\nActionID: act-1\r\nResponse: Failure\r\nReason: 0\r\n"
            "Uniqueid: chan-1\r\nTimestamp: 1000001.5"
        )
    )
    desk.client.on_event(
        event(
            "Event: Newchannel\r\nChannel: PJSIP/c-1\r\nUniqueid: chan-1\r\nLinkedid: chan-1\r\n"
            "Timestamp: 1000001.0"
        )
    )
    desk.client.on_event(
        event(
            "Event: Hangup\r\nChannel: PJSIP/c-1\r\nUniqueid: chan-1\r\nLinkedid: chan-1\r\n"
            "Cause: 17\r\nCause-txt: User busy\r\nTechCause: 486\r\nTimestamp: 1000002.0"
        )
    )
    (report,) = desk.reports
    assert (report.disposition, report.sip_code, report.ended_at) == ("busy", 486, 1000002.0)


async def test_nothing_is_tracked_of_what_was_not_written(desk: Desk) -> None:
    with pytest.raises(LinkDown):
        desk.place()
    assert len(desk.link.tracker) == 0
    assert desk.effects == []


async def test_an_error_answer_ends_the_call_as_not_placed(desk: Desk) -> None:
    desk.client.come_up()
    desk.place()
    desk.link.refuse("chan-1", "Originate Access Forbidden")
    (report,) = desk.reports
    assert (report.placed, report.detail) == (False, "Originate Access Forbidden")


async def test_graces_run_out_by_themselves(desk: Desk) -> None:
    desk.client.come_up()
    desk.clock.mono = asyncio.get_running_loop().time() - 60.0
    desk.place()
    desk.client.on_event(
        event(
            "Event: OriginateResponse\r\nActionID: act-1\r\nResponse: Failure\r\nReason: 0\r\n"
            "Uniqueid: chan-1\r\nTimestamp: 1000001.5"
        )
    )
    desk.clock.mono += 60.0
    async with asyncio.timeout(PATIENCE):
        await desk.ended.wait()
    assert desk.reports[0].placed is False


async def test_a_call_that_two_lists_lack_is_over_and_unknown(desk: Desk) -> None:
    desk.client.come_up()
    desk.place()
    desk.clock.advance(3.0)
    await desk.compare((), ())
    (report,) = desk.reports
    assert (report.disposition, report.end_estimated) == ("unknown", True)


async def test_a_call_of_an_earlier_life_is_adopted_and_followed(desk: Desk) -> None:
    desk.client.come_up()
    desk.link.resume("chan-1", "act-1", desk.clock.now() - 9)
    await desk.compare((event(CHANNEL),))
    assert desk.reports == []
    desk.client.on_event(
        event(
            "Event: Hangup\r\nChannel: PJSIP/carrier-1\r\nUniqueid: chan-1\r\n"
            "Linkedid: chan-1\r\nCause: 16\r\nTimestamp: 1000050.0"
        )
    )
    (report,) = desk.reports
    assert (report.disposition, report.ended_at) == ("answered", 1000050.0)


async def test_after_a_restart_of_asterisk_its_calls_are_over_at_once(desk: Desk) -> None:
    desk.client.come_up("2026-01-01 10:00:00")
    desk.place()
    desk.client.go_down()
    desk.clock.advance(1.0)
    desk.client.come_up("2026-01-01 10:05:00")
    await desk.compare(())
    (report,) = desk.reports
    assert report.detail is not None
    assert "restarted" in report.detail
    assert desk.ups == [True, False, True]


async def test_a_call_over_its_longest_duration_is_hung_up(desk: Desk) -> None:
    desk.client.come_up()
    desk.place()
    desk.clock.advance(7200 + 11)
    await desk.compare((event(CHANNEL),))
    assert desk.client.hung_up == ["chan-1"]


LEG = (
    "Event: CoreShowChannel\r\nChannel: PJSIP/b-1\r\nChannelState: 6\r\n"
    "ChannelStateDesc: Up\r\nUniqueid: leg-b\r\nLinkedid: chan-1\r\nDuration: 00:00:03"
)


async def test_what_an_earlier_life_saw_answered_is_answered(desk: Desk) -> None:
    desk.client.come_up()
    desk.link.resume("chan-1", "act-1", desk.clock.now() - 9, desk.clock.now() - 5)
    await desk.compare((), ())
    (report,) = desk.reports
    assert (report.disposition, report.end_estimated) == ("answered", True)


@pytest.mark.parametrize(
    ("uptime", "why"),
    [
        (2, "Asterisk was restarted"),
        (900, "nothing was left of it when Asterisk was asked"),
        (None, "nothing was left of it when Asterisk was asked"),
    ],
)
async def test_a_new_life_knows_by_the_uptime_whether_asterisk_was_restarted(
    desk: Desk, uptime: int | None, why: str
) -> None:
    """Both were restarted: this process never saw the Asterisk that had the call."""
    desk.link.resume("chan-1", "act-1", desk.clock.now() - 9)
    said = "" if uptime is None else f"\r\nUptime: {uptime}"
    desk.client.on_event(event(f"Event: FullyBooted\r\nStatus: Fully Booted{said}"))
    desk.client.come_up()
    await desk.compare((), ())
    assert [(report.disposition, report.detail) for report in desk.reports] == [("unknown", why)]


async def test_what_is_left_of_calls_is_told_once_for_each_link(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dialer.server_link")
    desk.client.come_up()
    desk.link.resume("chan-1", "act-1", desk.clock.now() - 9)
    desk.link.resume("chan-2", "act-2", desk.clock.now() - 9)
    await desk.compare((event(CHANNEL),), (event(CHANNEL),))
    told = [record for record in caplog.records if record.message == "open calls compared"]
    assert [(r.live, r.missing, r.gone) for r in told] == [(1, 1, 0)]  # type: ignore[attr-defined]


async def test_a_call_placed_since_asterisk_started_was_not_ended_by_that(desk: Desk) -> None:
    desk.client.on_event(event("Event: FullyBooted\r\nUptime: 5"))
    desk.client.come_up()
    desk.link.resume("chan-1", "act-1", desk.clock.now() - 4)
    await desk.compare((), ())
    assert [report.detail for report in desk.reports] == [
        "nothing was left of it when Asterisk was asked"
    ]


async def test_a_call_written_just_before_the_link_was_lost_is_settled_by_two_lists(
    desk: Desk,
) -> None:
    """The link is back within the seconds in which an absence means nothing on the same link."""
    desk.client.come_up()
    desk.place()
    desk.client.go_down()
    desk.clock.advance(0.3)
    desk.client.come_up()
    desk.clock.advance(0.1)
    await desk.compare((), ())
    assert [report.disposition for report in desk.reports] == ["unknown"]


async def test_a_link_lost_between_two_lists_makes_the_first_worthless(desk: Desk) -> None:
    desk.client.come_up()
    desk.place()
    desk.clock.advance(3.0)
    await desk.compare(())
    desk.client.go_down()
    desk.client.come_up()
    await desk.compare(())
    assert desk.reports == []


async def test_a_restart_behind_a_link_that_stayed_is_found_by_the_status(desk: Desk) -> None:
    desk.client.come_up("2026-01-01 10:00:00")
    desk.place()
    await desk.compare((event(CHANNEL),))
    desk.client.startup = "2026-01-01 10:05:00"
    await desk.compare(())
    (report,) = desk.reports
    assert (report.disposition, report.detail) == ("answered", "Asterisk was restarted")


async def test_a_second_leg_whose_hangup_was_missed_gives_its_slot_back(desk: Desk) -> None:
    desk.client.come_up()
    desk.link.resume("chan-1", "act-1", desk.clock.now() - 9)
    await desk.compare((event(CHANNEL), event(LEG)))
    assert desk.link.tracker.further_legs("chan-1") == ("leg-b",)
    desk.client.go_down()
    desk.client.come_up()
    await desk.compare((event(CHANNEL),), (event(CHANNEL),))
    assert desk.link.tracker.further_legs("chan-1") == ()
    assert desk.reports == []
    desk.client.on_event(
        event(
            "Event: Hangup\r\nChannel: PJSIP/carrier-1\r\nUniqueid: chan-1\r\n"
            "Linkedid: chan-1\r\nCause: 16\r\nTimestamp: 1000050.0"
        )
    )
    assert [report.disposition for report in desk.reports] == ["answered"]


async def test_an_originate_response_of_ours_is_told_and_others_are_not(desk: Desk) -> None:
    desk.client.come_up()
    desk.place()
    for action in ("act-of-another", "act-1"):
        desk.client.on_event(
            event(
                f"Event: OriginateResponse\r\nActionID: {action}\r\nResponse: Failure\r\n"
                "Reason: 0\r\nUniqueid: chan-1\r\nTimestamp: 1000001.5"
            )
        )
    assert desk.reported == [True]


async def test_a_list_that_fails_is_asked_for_again_and_nothing_is_settled(desk: Desk) -> None:
    desk.client.come_up()
    desk.place()
    desk.clock.advance(3.0)
    asked = asyncio.Event()

    async def fail() -> ServerStatus:
        asked.set()
        raise ActionTimeout("no answer")

    desk.link._renewed = False
    desk.client.core_status = fail  # type: ignore[method-assign]
    assert await desk.link._compare() == LIST_RETRY
    assert asked.is_set()
    assert desk.reports == []


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_a_clock_that_is_set_in_mid_call_changes_no_duration(desk: Desk, step: float) -> None:
    desk.client.come_up()
    desk.place()
    new = "Event: Newchannel\r\nUniqueid: chan-1\r\nLinkedid: chan-1\r\nChannel: PJSIP/c-1"
    desk.client.on_event(event(f"{new}\r\nChannelState: 0"))
    desk.clock.advance(3.0)
    state = new.replace("Newchannel", "Newstate")
    desk.client.on_event(event(f"{state}\r\nChannelState: 6\r\nChannelStateDesc: Up"))
    desk.clock.advance(7.0)
    desk.clock.wall += step
    response = "Event: OriginateResponse\r\nActionID: act-1\r\nResponse: Success\r\nReason: 4"
    desk.client.on_event(event(f"{response}\r\nUniqueid: chan-1"))
    desk.client.on_event(event(f"{new.replace('Newchannel', 'Hangup')}\r\nCause: 16"))
    (report,) = desk.reports
    assert report.answered_at is not None
    assert report.ended_at == desk.clock.now()
    assert report.ended_at - report.started_at == pytest.approx(10.0)
    assert report.ended_at - report.answered_at == pytest.approx(7.0)


async def test_a_call_of_the_future_began_before_the_clock_was_set_back(desk: Desk) -> None:
    now = desk.clock.now()
    desk.link.resume("chan-1", "act-1", now + 3600.0, now + 3601.0)
    desk.client.come_up()
    hangup = "Event: Hangup\r\nUniqueid: chan-1\r\nLinkedid: chan-1\r\nChannel: PJSIP/c-1"
    desk.clock.advance(2.0)
    response = "Event: OriginateResponse\r\nActionID: act-1\r\nResponse: Success\r\nReason: 4"
    desk.client.on_event(event(f"{response}\r\nUniqueid: chan-1"))
    desk.client.on_event(event(f"{hangup}\r\nCause: 16"))
    (report,) = desk.reports
    assert (report.answered_at, report.ended_at) == (now, now + 2.0)
    assert report.started_at <= report.ended_at
