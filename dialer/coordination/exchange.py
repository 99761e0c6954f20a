"""Slots and turns asked for at Redis: all wishes of one turn of the event loop in one request.

Requests follow one another without waiting for answers. What is not answered is `CLOSED`; whether
it was done is then in doubt, so the slot is freed until Redis confirms that.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dialer.coordination.connection import RedisGone
from dialer.coordination.contract import SlotWish, Turn, Verdict
from dialer.coordination.ledger import Ledger, Slot
from dialer.coordination.scripts import Script
from dialer.coordination.session import Session
from dialer.coordination.turns import AHEAD, LINE, WINDOW, TurnClock, map_turn, space, to_micros
from dialer.coordination.view import State

_RULES = tuple(str(to_micros(seconds)) for seconds in (AHEAD, LINE, WINDOW))
_MOST = 500
"""Wishes in one request: some 5 ms of Redis' time."""


class Overseer(Protocol):
    """Who hears what the answers tell besides."""

    def owns(self, server_id: int) -> bool: ...
    def refused(self, client_id: int, seconds: float | None) -> None:
        """No room; `seconds`: when there is, None: somebody must free a slot first."""
        ...

    def clock_was_set(self, era: int) -> None: ...
    def epoch_lost(self) -> None: ...


@dataclass(slots=True)
class _Batch:
    frees: list[tuple[int, str]] = field(default_factory=list)
    puts: dict[str, Slot] = field(default_factory=dict)
    turns: list[tuple[int, int, asyncio.Future[Turn | None]]] = field(default_factory=list)
    takes: list[tuple[SlotWish, asyncio.Future[Verdict]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frees) + len(self.puts) + len(self.turns) + len(self.takes)

    def write(self) -> list[str]:
        """For `lua/batch.lua`: what makes room comes first."""
        words: list[str] = []
        for server, channel in self.frees:
            words += ("f", str(server), channel)
        for channel, slot in self.puts.items():
            words += ("p", str(slot.server_id), str(slot.client_id), channel)
        for client, step, _ in self.turns:
            words += ("n", str(client), str(step))
        for wish, _ in self.takes:
            step = 0 if wish.max_cps is None else to_micros(space(wish.max_cps))
            words += ("t", str(wish.server_id), str(wish.client_id), wish.channel_id)
            words += (str(wish.limit), str(step))
        return words


class Exchange:
    """`granting`: whether slots and turns may be asked for; `asking`: channels whose slot is being
    asked for."""

    def __init__(
        self, ledger: Ledger, clock: TurnClock, overseer: Overseer, monotonic: Callable[[], float]
    ) -> None:
        self._ledger, self._clock, self._overseer = ledger, clock, overseer
        self._monotonic = monotonic
        self._session: Session | None = None
        self._batch = _Batch()
        self._flushing = False
        self._sending: set[asyncio.Task[None]] = set()
        self.granting = False
        self.asking: set[str] = set()

    def attach(self, session: Session) -> None:
        """Go on over this connection; what was freed and not confirmed is freed again."""
        self._session, self.granting = session, False
        for channel, server in self._ledger.leaving.items():
            self.free(server, channel)

    def detach(self) -> None:
        """Nothing can be asked."""
        self._session, self.granting = None, False
        self._batch.frees.clear()  # the ledger has them

    def take(self, wish: SlotWish) -> asyncio.Future[Verdict]:
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        if not self.granting or not self._overseer.owns(wish.server_id):
            answer.set_result(Verdict.CLOSED)
        elif wish.max_cps is not None and not self._clock.trusted(self._monotonic()):
            self._overseer.refused(wish.client_id, None)
            answer.set_result(Verdict.FULL)
        else:
            self.asking.add(wish.channel_id)
            self._batch.takes.append((wish, answer))
            self._schedule()
        return answer

    def turn(self, client_id: int, max_cps: float) -> asyncio.Future[Turn | None]:
        answer: asyncio.Future[Turn | None] = asyncio.get_running_loop().create_future()
        if self.granting and self._clock.trusted(self._monotonic()):
            self._batch.turns.append((client_id, to_micros(space(max_cps)), answer))
            self._schedule()
        else:
            self._overseer.refused(client_id, None)
            answer.set_result(None)
        return answer

    def free(self, server_id: int, channel_id: str) -> None:
        self._batch.puts.pop(channel_id, None)  # it would be counted behind that
        if self._session is not None:
            self._batch.frees.append((server_id, channel_id))
            self._schedule()

    def put(self, channel_id: str, slot: Slot) -> None:
        self._batch.puts[channel_id] = slot
        self._schedule()

    async def settle(self) -> None:
        """Everything asked for is answered, or given up."""
        self._flush()
        await asyncio.gather(*self._sending)

    def _schedule(self) -> None:
        if len(self._batch) >= _MOST:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        batch, self._batch = self._batch, _Batch()
        if len(batch) == 0:
            return
        task = asyncio.get_running_loop().create_task(self._send(self._session, batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, session: Session | None, batch: _Batch) -> None:
        doubtful = False
        try:
            if session is not None:
                doubtful = True
                sent = self._monotonic()
                answer = await session.run(Script.BATCH, *_RULES, *batch.write())
                doubtful = False
                self._read(batch, answer.split(), sent)
        except RedisGone:
            pass  # the one who keeps the session notices by itself
        finally:
            self._give_up(batch, doubtful)

    def _read(self, batch: _Batch, words: list[str], sent: float) -> None:
        if State(words[0]) in (State.EPOCH, State.STALE):
            self._overseer.epoch_lost()
            return
        received, era = self._monotonic(), int(words[2])
        if self._clock.see(sent, received, int(words[1]) / 1_000_000, era):
            self._overseer.clock_was_set(era)
        self._ledger.arrived(channel for _, channel in batch.frees)
        told = iter(words[3:])
        for (client, _, turn), word in zip(batch.turns, told, strict=False):
            self._answer_turn(client, turn, word, received)
        for (wish, slot), word in zip(batch.takes, told, strict=True):
            self._answer_take(wish, slot, word)

    def _answer_turn(
        self, client: int, answer: asyncio.Future[Turn | None], word: str, received: float
    ) -> None:
        turn = None
        if word.startswith("T") and self._clock.trusted(received):
            turn = map_turn(int(word[1:]), self._clock.bounds)
        else:
            far = int(word[1:]) / 1_000_000 - AHEAD if word.startswith("L") else None
            self._overseer.refused(client, far)
        if not answer.done():
            answer.set_result(turn)

    def _answer_take(self, wish: SlotWish, answer: asyncio.Future[Verdict], word: str) -> None:
        self.asking.discard(wish.channel_id)
        verdict = {"G": Verdict.GRANTED, "F": Verdict.FULL}.get(word[0], Verdict.CLOSED)
        if verdict is Verdict.FULL:
            wait = int(word[1:]) / 1_000_000 if len(word) > 1 else None
            self._overseer.refused(wish.client_id, wait)
        if verdict is Verdict.GRANTED:
            self._ledger.add(wish.channel_id, Slot(wish.server_id, wish.client_id))
            if answer.done() or not self._overseer.owns(wish.server_id):
                self._ledger.free(wish.channel_id)
                self.free(wish.server_id, wish.channel_id)
                verdict = Verdict.CLOSED
        if not answer.done():
            answer.set_result(verdict)

    def _give_up(self, batch: _Batch, doubtful: bool) -> None:
        """Whoever has no answer yet gets none."""
        for wish, slot in batch.takes:
            if wish.channel_id in self.asking and not slot.done():
                slot.set_result(Verdict.CLOSED)
            if wish.channel_id in self.asking and doubtful:
                self._ledger.doubt(wish.channel_id, wish.server_id)
                self.free(wish.server_id, wish.channel_id)
            self.asking.discard(wish.channel_id)
        for _, _, turn in batch.turns:
            if not turn.done():
                turn.set_result(None)
