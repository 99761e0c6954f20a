"""Random lives of attempts: whatever store, link and Asterisk answer, and in whatever order."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from ami import ActionRejected, ActionTimeout, LinkDown, LinkLost
from dialer.attempts import HOLDING, STAGES, LiveAttempt, Stage
from dialer.errors import Conflict, IllegalTransition, StoreUnavailable
from dialer.states import check_transition
from tests.unit.dialer.worker_floor import Floor, item

ENDS = {stage for stage, following in STAGES.items() if not following}


def test_the_table_is_whole() -> None:
    assert set(STAGES) == set(Stage)
    assert set().union(*STAGES.values()) | {Stage.RESERVING} == set(Stage)
    assert {Stage.REFUSED, Stage.SETTLED, Stage.WITHDRAWN, Stage.LOST} == ENDS
    assert not HOLDING & ENDS
    for end in ENDS:
        for stage in Stage:
            with pytest.raises(IllegalTransition):
                check_transition(STAGES, end, stage)


class Walk:
    """One random life of a worker. Its store is a ledger that the walk fills in."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rng = random.Random(seed)
        self.floor = Floor(allocated_channels=3, max_cps=None)
        self.moves: list[tuple[str, Stage, Stage]] = []
        self.withdrawn: Counter[str] = Counter()
        self.settled: Counter[str] = Counter()
        self.items = 0
        walk = self
        move = LiveAttempt.move

        def watch(attempt: LiveAttempt, stage: Stage) -> None:
            walk.moves.append((attempt.channel_id, attempt.stage, stage))
            move(attempt, stage)

        monkeypatch.setattr(LiveAttempt, "move", watch)

    def feed(self) -> None:
        self.items += 1
        base = f"campaign-{self.items}" if self.rng.random() < 0.3 else None
        self.floor.feed(item(self.items, channel_base=base))

    def answer_store(self) -> None:
        ledger = self.floor.ledger
        waiting = [answer for _, answer in ledger.reservations if not answer.done()]
        if waiting:
            answer = self.rng.choice(waiting)
            chance = self.rng.random()
            if chance < 0.8:
                answer.set_result(True)
            elif chance < 0.9:
                answer.set_result(False)
            else:
                answer.set_exception(StoreUnavailable("busy"))
        for name, writes, done in (
            ("settle", ledger.settlements, self.settled),
            ("withdraw", ledger.withdrawals, self.withdrawn),
        ):
            open_ = [(write, answer) for write, answer in writes if not answer.done()]
            if open_:
                write, written = self.rng.choice(open_)
                if self.rng.random() < 0.2:
                    written.set_exception(StoreUnavailable(name))
                else:
                    written.set_result(())
                    done[write.channel_id] += 1

    def answer_wire(self) -> None:
        link = self.floor.link
        waiting = [answer for answer in link.answers if not answer.done()]
        if waiting:
            error = self.rng.choice(
                [LinkDown("never left"), LinkLost("gone"), ActionTimeout("none"), None]
            )
            answer = self.rng.choice(waiting)
            if error is None:
                answer.set_exception(ActionRejected("Originate Access Forbidden"))
            else:
                answer.set_exception(error)

    def end_call(self) -> None:
        if self.floor.link.sent:
            sent = self.rng.choice(self.floor.link.sent)
            if sent.channel_id not in self.floor.link.forgotten:
                disposition = self.rng.choice(["answered", "busy", "unknown"])
                self.floor.end(sent.channel_id, disposition)

    def shake_link(self) -> None:
        link = self.floor.link
        link.down = not link.down
        if link.down:
            self.floor.planner.set_up(1, False)
        else:
            self.floor.planner.link_up(1)
        self.floor.worker.wake()

    def pass_time(self) -> None:
        self.floor.clock.advance(self.rng.choice([0.1, 2.0, 70.0]))
        self.floor.worker.wake()

    async def run(self, steps: int) -> None:
        acts = [self.feed, self.answer_store, self.answer_store, self.answer_wire]
        acts += [self.end_call, self.shake_link, self.pass_time]
        for _ in range(steps):
            self.rng.choice(acts)()
            await self.floor.turn()
            self.check()
        await self.wind_up()

    def check(self) -> None:
        """A slot for every attempt in a stage that holds one, and for no other."""
        live = self.floor.worker._live.values()
        assert all(attempt.stage in HOLDING for attempt in live)
        assert self.floor.planner.live_calls() == {1: len(live)}
        assert len(live) <= 3

    async def wind_up(self) -> None:
        """Everything comes to its end, and nothing is left anywhere."""
        draining = asyncio.ensure_future(self.floor.worker.drain(5.0))
        while not draining.done():
            for sent in tuple(self.floor.link.sent):
                if sent.channel_id in self.floor.worker._live:
                    self.floor.end(sent.channel_id)
            for settlement, settled in self.floor.ledger.settlements:
                self.settled[settlement.channel_id] += not settled.done()
            for withdrawal, withdrawn in self.floor.ledger.withdrawals:
                self.withdrawn[withdrawal.channel_id] += not withdrawn.done()
            await self.floor.commit()
        assert await draining == []
        self.check()
        for response in self.floor.link.answers:
            if not response.done():
                response.set_exception(LinkLost("the end"))
        await self.floor.turn()
        window = self.floor.planner._servers[1].window
        assert window.under_way == 0


@pytest.mark.parametrize("seed", range(40))
async def test_every_attempt_comes_to_one_end_and_leaves_nothing_behind(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer.settling.SETTLE_RETRY", 0.0)
    walk = Walk(seed, monkeypatch)
    await walk.run(120)
    path: dict[str, Stage] = {}
    ends: Counter[str] = Counter()
    for channel_id, old, new in walk.moves:
        assert path.get(channel_id, Stage.RESERVING) in {old} | ENDS
        path[channel_id] = new
        ends[channel_id] += new in ENDS
    assert all(stage in ENDS for stage in path.values())
    sent = Counter(originate.channel_id for originate in walk.floor.link.sent)
    for channel_id, times in sent.items():
        # Written again only where it certainly had not left before.
        assert times <= 1 + walk.withdrawn[channel_id]
        assert walk.settled[channel_id] + walk.withdrawn[channel_id] == ends[channel_id]
    assert max(walk.settled.values(), default=0) <= 1


async def test_a_conflict_of_ids_is_dialed_under_our_own() -> None:
    floor = Floor()
    floor.feed(replace(item(1), channel_base="taken", kept_ids=("taken", "act-9", "cdr-9")))
    await floor.turn()
    reservation, answer = floor.ledger.reservations[0]
    assert (reservation.channel_id, reservation.cdr_id) == ("taken", "cdr-9")
    answer.set_exception(Conflict("used"))
    await floor.turn()
    assert floor.ledger.reservations[1][0].channel_id == "act-9"
