"""Which calls start now: slots, calls per second, shares and order, as one pure decision.

`plan` takes everything that may go at this instant and says when to ask again. The worker asks it
whenever something changed: a slot was freed, items were loaded, a gate's time came, a setting
changed. Nothing here waits, reads a clock or touches the store.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dialer.breaker import Breaker, Trouble
from dialer.lanes import Lane
from dialer.pacing import CATCH_UP, SHARED_CATCH_UP, RateGate
from dialer.picture import ClientState, ServerState, Slot
from dialer.store.contract import Candidate, Client, Queue, Server

LaneKey = tuple[int, int]
"""(queue id, server id)"""

EARLY = 0.005
"""Seconds before the turn of a call (as the limits of calls per second give it) that it is planned,
so that its commit is done when its turn comes."""

AHEAD = 0.02
"""When one is planned, those whose turn comes within so many seconds are, too: one commit for all,
and one round of the event loop."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One attempt that may start: its slot is taken. `number` counts all attempts of the item."""

    candidate: Candidate
    server: Server
    client: Client
    number: int
    channel_id: str
    action_id: str
    cdr_id: str


class Planner:
    """The worker's picture of servers, clients, queues and lanes, and the decision on top of it.

    `wall` is epoch seconds (deadlines, due times), `now` monotonic seconds (rates, shares).
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._shared = False
        self.catch_up = CATCH_UP  # of servers' gates
        self._servers: dict[int, ServerState] = {}
        self._clients: dict[int, ClientState] = {}
        self._queues: dict[int, Queue] = {}
        self._slots: dict[str, Slot] = {}
        self._on_the_way: set[int] = set()
        self._hungry: dict[LaneKey, Lane] = {}
        self._lookups: list[tuple[float, LaneKey]] = []  # when to look for due retries
        self.lanes: dict[LaneKey, Lane] = {}
        self._horizon = 0.0  # monotonic: turns until then are taken
        self.wake_at: float | None = None  # monotonic: a turn comes within `EARLY`
        self.wake_wall: float | None = None  # epoch: a retry is due, a lane's rest is over

    # What is known.

    def set_servers(self, servers: Iterable[Server]) -> None:
        for server in servers:
            gate = RateGate(catch_up=self.catch_up)
            state = self._servers.setdefault(server.id, ServerState(server, gate=gate))
            was_ready = state.ready
            state.server = server
            state.gate.change(server.max_cps)
            if state.ready and not was_ready:
                self._watch_all(server_id=server.id)

    def set_clients(self, clients: Iterable[Client], now: float) -> None:
        for client in clients:
            known = client.id in self._clients
            state = self._clients.setdefault(client.id, ClientState(client))
            if known and state.client.allocated_channels != client.allocated_channels:
                for server in self._servers.values():
                    server.shares.weigh(client.id, client.allocated_channels, now)
            resumed = client.may_dial and not (known and state.client.may_dial)
            state.client = client
            state.gate.change(client.max_cps)
            if resumed:
                self._watch_all(client_id=client.id)

    def set_queue(self, queue: Queue, server_ids: Iterable[int]) -> None:
        """A queue as the store has it now, and the servers that its items name."""
        before = self._queues.get(queue.id)
        self._queues[queue.id] = queue
        for server_id in server_ids:
            lane = self._lane(queue, server_id)
            if before is None or _rules(before) != _rules(queue):
                lane.rescan()
            self._watch(lane)

    def rescan(self, queue_id: int | None = None) -> None:
        """What waits in this queue, or in all, may be due at other times or have ended."""
        for lane in self.lanes.values():
            if queue_id in (None, lane.queue_id):
                lane.rescan()
                self._watch(lane)

    def retain_queues(self, queue_ids: set[int]) -> None:
        """Forget all queues but these."""
        for queue_id in self._queues.keys() - queue_ids:
            self.forget_queue(queue_id)

    def forget_queue(self, queue_id: int) -> None:
        """A queue is completed; a new batch makes it known again."""
        self._queues.pop(queue_id, None)
        for key in [key for key in self.lanes if key[0] == queue_id]:
            self._withdraw(self.lanes.pop(key))

    def idle_queues(self) -> list[int]:
        """Queues of which nothing waits that could be loaded here: they may be completed."""
        busy = {
            key[0]
            for key, lane in self.lanes.items()
            if not lane.is_idle and self.is_ours(lane.server_id)
        }
        return [
            queue_id
            for queue_id, queue in self._queues.items()
            if queue_id not in busy and queue.kind != "quick"
        ]

    def set_up(self, server_id: int, up: bool) -> None:
        """Whether the server takes calls now."""
        self._servers[server_id].up = up
        if up:
            self._watch_all(server_id=server_id)

    def set_ours(self, server_id: int, ours: bool) -> None:
        """Whether this worker may start calls there. What others did there meanwhile is not known
        here: its lanes begin anew."""
        state = self._servers[server_id]
        if ours and not state.ours:
            for lane in self.lanes.values():
                if lane.server_id == server_id:
                    lane.rescan()
        state.ours = ours
        if state.ready:
            self._watch_all(server_id=server_id)

    def link_up(self, server_id: int) -> None:
        """A new link: logged in, booted."""
        state = self._servers[server_id]
        state.window.renew()
        state.breaker.link_up()
        self.set_up(server_id, True)

    def link_down(self, server_id: int, trouble: Trouble, now: float) -> None:
        """The link was lost, or Asterisk is going down."""
        self.set_up(server_id, False)
        self._servers[server_id].breaker.saw(trouble, now)

    def items_added(self, queue: Queue, server_ids: Iterable[int]) -> None:
        """A queue (maybe a new one) got items for these servers."""
        self.set_queue(queue, server_ids)
        for server_id in server_ids:
            lane = self._lane(queue, server_id)
            lane.more = True
            self._watch(lane)

    def queue(self, queue_id: int) -> Queue | None:
        return self._queues.get(queue_id)

    def client(self, client_id: int) -> Client:
        return self._clients[client_id].client

    def server(self, server_id: int) -> Server:
        return self._servers[server_id].server

    def live_calls(self) -> dict[int, int]:
        """Calls that hold a slot, by server."""
        return {server_id: state.live for server_id, state in self._servers.items()}

    def is_ours(self, server_id: int) -> bool:
        """Whether this worker may start calls there."""
        state = self._servers.get(server_id)
        return state is None or state.ours

    def is_up(self, server_id: int) -> bool:
        return self._servers[server_id].up

    def breaker(self, server_id: int) -> Breaker:
        return self._servers[server_id].breaker

    @property
    def on_the_way(self) -> set[int]:
        """Items that hold a slot: a load may not bring them again."""
        return self._on_the_way

    def gates(self, server_id: int, client_id: int) -> tuple[RateGate, RateGate]:
        return self._servers[server_id].gate, self._clients[client_id].gate

    # The decision.

    def plan(self, wall: float, now: float) -> list[Placement]:
        """Take the slots of every call that may start now, or so soon that it should be on disk by
        then: whoever writes them waits for their turns (`dialer.departures`)."""
        self.wake_at = None
        self.wake_wall = None
        self._horizon = now + EARLY
        placements: list[Placement] = []
        for state in self._servers.values():
            while (
                state.ready and state.has_room(now) and state.working and self._trusts(state, now)
            ):
                placement = self._next(state, wall, now)
                if placement is None:
                    break
                placements.append(placement)
                self._horizon = now + AHEAD
        return placements

    def may_leave(self, placement: Placement, wall: float) -> bool:
        """Whether a call that was planned may still be written, for all that does not show on the
        link: nothing was paused, suspended or completed and no deadline passed meanwhile."""
        item = placement.candidate
        client = self._clients[placement.client.id]
        queue = self._queues.get(item.queue_id)
        return bool(
            (item.deadline is None or item.deadline > wall)
            and (queue and queue.may_dial)
            and client.client.may_dial
            and client.may_use(placement.server.id)
            and not self._servers[placement.server.id].server.paused
            and self._servers[placement.server.id].ours
        )

    def _trusts(self, state: ServerState, now: float) -> bool:
        """Whether the server's breaker lets a call go; the others' calls go on meanwhile."""
        if state.breaker.may_place(now):
            return True
        if now < state.breaker.until < float("inf"):
            self._wake_at(state.breaker.until)
        return False

    def _next(self, state: ServerState, wall: float, now: float) -> Placement | None:
        turn: float | None = max(now, state.gate.earliest())
        while turn is not None and turn <= self._horizon:
            able, later = self._able_clients(state, turn)
            for client_id in state.shares.least_served(able, now) if len(able) > 1 else able:
                candidate = self._first_item(state, client_id, wall)
                if candidate is not None:
                    return self._place(state, self._clients[client_id], candidate, now, turn)
            turn = later
        if turn is not None:
            self._wake_at(turn - EARLY)
        return None

    def _able_clients(self, state: ServerState, turn: float) -> tuple[list[int], float | None]:
        """Who may have this turn, and when the next of the others may."""
        able, later = [], None
        for client_id in state.working:
            client = self._clients[client_id]
            if not client.has_room or not client.may_use(state.server.id):
                continue
            opens = client.opens_at()
            if opens <= turn:
                able.append(client_id)
            else:
                later = opens if later is None else min(later, opens)
        return able, later

    def _first_item(self, state: ServerState, client_id: int, wall: float) -> Candidate | None:
        """A quick call, else the first due retry, else the item received first."""
        lanes = [lane for lane in state.working[client_id].values() if self._open(lane, wall)]
        if len(lanes) > 1:
            lanes.sort(key=lambda lane: _order(lane, wall))

        def blocked(item: Candidate) -> bool:
            wanted = _wire_id(item)
            return wanted is not None and state.refuses(wanted)

        quick = [lane for lane in lanes if lane.quick]
        for retry, group in ((False, quick), (True, lanes), (False, lanes)):
            for lane in group:
                item = lane.take(wall, retry=retry, blocked=blocked)
                self._watch(lane)
                if item is not None:
                    return item
        for lane in lanes:
            due_at = lane.next_due_at(wall)
            if due_at is not None:
                self._wake_wall(due_at)
        return None

    def _open(self, lane: Lane, wall: float) -> bool:
        queue = self._queues.get(lane.queue_id)
        if queue is None or not queue.may_dial:
            return False
        if lane.resting_until > wall:
            self._wake_wall(lane.resting_until)
            return False
        return bool(lane.fresh or lane.retries)

    def _place(
        self,
        state: ServerState,
        client: ClientState,
        item: Candidate,
        now: float,
        turn: float,
    ) -> Placement:
        if item.kept_ids is not None:
            _, action_id, cdr_id = item.kept_ids
        else:
            action_id, cdr_id = self._new_id(), self._new_id()
        placement = Placement(
            candidate=item,
            server=state.server,
            client=client.client,
            number=item.attempts + item.unplaced + 1,
            channel_id=_wire_id(item) or action_id,
            action_id=action_id,
            cdr_id=cdr_id,
        )
        self.hold(placement, now)
        if self._shared:
            client.asked += 1
        state.window.take(now)
        state.breaker.placed(now)
        state.gate.take(turn)
        client.gate.take(turn)
        return placement

    # Slots.

    def hold(self, placement: Placement, now: float) -> None:
        """Take the slot of a call (also of one that an earlier life of this process started)."""
        state = self._servers[placement.server.id]
        client = self._clients[placement.client.id]
        state.live += 1
        client.live += 1
        insort(state.live_ids, placement.channel_id.lower())
        if placement.client.id not in state.working:
            state.shares.enter(placement.client.id, client.client.allocated_channels, now)
        state.shares.started(placement.client.id, placement.channel_id, now)
        self._slots[placement.channel_id] = Slot(placement.server.id, placement.client.id)
        self._on_the_way.add(placement.candidate.id)

    def release(self, placement: Placement, now: float, *, dialed: bool = True) -> None:
        """Nothing of the call is left, or it never was one (`dialed` False)."""
        slot = self._slots.pop(placement.channel_id)
        state = self._servers[slot.server_id]
        state.live -= 1
        self._clients[slot.client_id].live -= 1
        del state.live_ids[bisect_left(state.live_ids, placement.channel_id.lower())]
        state.shares.ended(slot.client_id, placement.channel_id, now, counts=dialed)

    # Slots that workers share: that of every placement is asked for, and `granted` or `denied`.

    def share(self) -> None:
        """From now on clients' slots are shared with other workers."""
        self._shared, self.catch_up = True, SHARED_CATCH_UP
        for state in self._servers.values():
            state.gate.catch_up = self.catch_up

    def asking(self, placement: Placement) -> None:
        """The slot of one that was not just planned is being asked for."""
        self._clients[placement.client.id].asked += 1

    def granted(self, placement: Placement) -> None:
        """The slot is this worker's."""
        client = self._clients[placement.client.id]
        client.asked -= 1
        client.grant()

    def denied(self, placement: Placement, now: float, until: float | None = None) -> None:
        """It is not; `until`: the client is not asked again before then, or before `room`."""
        client = self._clients[placement.client.id]
        client.asked -= 1
        if until is not None:
            client.refuse(until)
        self.put_back(placement, now)

    def rest_client(self, client_id: int, until: float) -> None:
        """Plan nothing of this client before `until`, or before `room`."""
        self._clients[client_id].refuse(until)

    def room(self, client_id: int | None = None) -> None:
        """Slots may be had again, of this client or of any."""
        states = self._clients.values() if client_id is None else (self._clients[client_id],)
        for client in states:
            client.full_until = float("-inf")

    def put_back(self, placement: Placement, now: float) -> None:
        """As if it had never been planned: nothing of it is on disk."""
        self.unsent(placement)
        self.release(placement, now, dialed=False)
        self._servers[placement.server.id].gate.give_back()
        self._clients[placement.client.id].gate.give_back()
        self._on_the_way.discard(placement.candidate.id)
        lane = self.lanes.get((placement.candidate.queue_id, placement.candidate.server_id))
        if lane is not None:
            lane.put_back(placement.candidate)
            self.loaded(lane, now)

    # What Asterisk makes of it. Every placed call comes to `unsent` or to one of the answers.

    def unsent(self, placement: Placement) -> None:
        """Its Originate was not written, or certainly not run."""
        state = self._servers[placement.server.id]
        state.window.give_back()
        state.breaker.unplaced()

    def answered(
        self, placement: Placement, seconds: float, now: float, *, refused: bool = False
    ) -> bool:
        """Asterisk's Response came, whatever it says; whether a call waited for that. `refused`: no
        OriginateResponse will follow."""
        state = self._servers[placement.server.id]
        was_full = not state.window.has_room(now)
        probed = state.breaker.probing
        state.window.answered(seconds, now)
        state.breaker.answered()
        if refused:
            state.breaker.unplaced()
        return was_full or probed

    def unanswered(self, placement: Placement, now: float, *, lost: bool) -> None:
        """No Response came in its time, or (`lost`) before the link went."""
        state = self._servers[placement.server.id]
        if lost:
            state.window.give_back()
        else:
            state.window.missed(now)
            state.breaker.saw(Trouble.UNANSWERED, now)

    def reported(self, server_id: int) -> bool:
        """An OriginateResponse came; whether a call waited for that."""
        breaker = self._servers[server_id].breaker
        probed = breaker.probing
        breaker.reported()
        return probed

    def unreported(self, server_id: int, now: float) -> None:
        """A call ended on a healthy link without its OriginateResponse."""
        self._servers[server_id].breaker.saw(Trouble.UNREPORTED, now)

    def settled(self, placement: Placement, next_at: float | None, wall: float) -> None:
        """The attempt's end is on disk: its item may be loaded again."""
        self._on_the_way.discard(placement.candidate.id)
        lane = self.lanes.get((placement.candidate.queue_id, placement.candidate.server_id))
        if lane is not None and next_at is not None:
            lane.note_retry(next_at, wall)
            self._watch(lane)

    def refused(self, placement: Placement, wall: float, now: float) -> None:
        """The store did not grant the reservation: something here is out of date."""
        self.unsent(placement)
        self.release(placement, now, dialed=False)
        self._on_the_way.discard(placement.candidate.id)
        lane = self.lanes.get((placement.candidate.queue_id, placement.candidate.server_id))
        if lane is not None:
            lane.rest(wall)
            self._watch(lane)

    def lost(self, placement: Placement) -> None:
        """Its attempt is the next owner's, from whom its item may come back."""
        self._on_the_way.discard(placement.candidate.id)

    def withdrawing(self, placement: Placement) -> None:
        """An attempt that never left is being taken back; it holds no slot."""
        self._on_the_way.add(placement.candidate.id)

    def withdrawn(self, placement: Placement) -> None:
        """Its item waits again, at its place in the order received."""
        self._on_the_way.discard(placement.candidate.id)
        lane = self.lanes.get((placement.candidate.queue_id, placement.candidate.server_id))
        if lane is not None:
            lane.rescan()
            self._watch(lane)

    # Lanes.

    def hungry_lanes(self, wall: float) -> list[Lane]:
        """Lanes to load from the store now; each is returned until `loaded` is told."""
        while self._lookups and self._lookups[0][0] <= wall:
            _, key = heapq.heappop(self._lookups)
            if key in self.lanes:
                self.lanes[key].looked_up_at = None
                self._hungry[key] = self.lanes[key]
        hungry = [lane for lane in self._hungry.values() if not lane.loading]
        self._hungry = {key: lane for key, lane in self._hungry.items() if lane.loading}
        wanted = []
        for lane in filter(self._served, hungry):
            if lane.resting_until > wall:
                self._look_again(lane, lane.resting_until)
            elif lane.needs_fresh or lane.needs_retries(wall):
                wanted.append(lane)
            else:
                self._watch(lane)
        return wanted

    @property
    def next_lookup(self) -> float | None:
        """Epoch time of the next look for due retries."""
        return self._lookups[0][0] if self._lookups else None

    def loaded(self, lane: Lane, now: float) -> None:
        """A load of `lane` came back; its client competes for the server while it holds items."""
        self._watch(lane)
        state = self._servers.get(lane.server_id)
        client = self._clients.get(lane.client_id)
        if state is None or client is None or not lane.held:
            return
        if lane.client_id not in state.working:
            state.shares.enter(lane.client_id, client.client.allocated_channels, now)
        state.working.setdefault(lane.client_id, {})[lane.queue_id] = lane

    def _served(self, lane: Lane) -> bool:
        """Whether items of this lane could go at all: else there is no point in loading them."""
        state = self._servers.get(lane.server_id)
        client = self._clients.get(lane.client_id)
        queue = self._queues.get(lane.queue_id)
        return bool(
            state and state.ready and client and client.client.may_dial and queue and queue.may_dial
        )

    def _watch(self, lane: Lane) -> None:
        key = (lane.queue_id, lane.server_id)
        if lane.needs_fresh:
            self._hungry[key] = lane
        if lane.retry_load_at is not None and lane.has_room_for_retries:
            self._look_again(lane, lane.retry_load_at)

    def _look_again(self, lane: Lane, at: float) -> None:
        if lane.looked_up_at is None or at < lane.looked_up_at:
            lane.looked_up_at = at
            heapq.heappush(self._lookups, (at, (lane.queue_id, lane.server_id)))

    def _watch_all(self, *, server_id: int | None = None, client_id: int | None = None) -> None:
        for lane in self.lanes.values():
            if server_id in (None, lane.server_id) and client_id in (None, lane.client_id):
                lane.looked_up_at = None
                self._watch(lane)

    def _lane(self, queue: Queue, server_id: int) -> Lane:
        key = (queue.id, server_id)
        lane = self.lanes.get(key)
        if lane is None:
            quick = queue.kind == "quick"
            lane = self.lanes[key] = Lane(queue.id, server_id, queue.client_id, quick)
        return lane

    def tidy(self) -> None:
        """Withdraw lanes that hold nothing, so that their clients stop competing."""
        for state in self._servers.values():
            for lanes in list(state.working.values()):
                for lane in list(lanes.values()):
                    if not lane.held:
                        self._withdraw(lane)

    def _withdraw(self, lane: Lane) -> None:
        state = self._servers.get(lane.server_id)
        if state is None or lane.client_id not in state.working:
            return
        lanes = state.working[lane.client_id]
        lanes.pop(lane.queue_id, None)
        if not lanes:
            del state.working[lane.client_id]

    def _wake_at(self, at: float) -> None:
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)

    def _wake_wall(self, at: float) -> None:
        self.wake_wall = at if self.wake_wall is None else min(self.wake_wall, at)


def _rules(queue: Queue) -> tuple[bool, bool, int, int]:
    """What decides which of a queue's items may go, and when."""
    return (queue.may_dial, queue.retry, queue.retry_count, queue.retry_gap)


def _wire_id(item: Candidate) -> str | None:
    """The ChannelId that this attempt is bound to: that of one that was withdrawn, or the
    client's, with `-2`, `-3` … for later ones."""
    if item.kept_ids is not None:
        return item.kept_ids[0]
    if item.channel_base is None:
        return None
    number = item.attempts + item.unplaced + 1
    return item.channel_base if number == 1 else f"{item.channel_base}-{number}"


def _order(lane: Lane, wall: float) -> tuple[bool, float, int]:
    """Quick calls first, then due retries by time, then fresh items by their place in line."""
    retry = lane.due_retry(wall)
    due = retry.due_at if retry is not None and retry.due_at is not None else float("inf")
    return (not lane.quick, due, lane.fresh[0].id if lane.fresh else 0)
