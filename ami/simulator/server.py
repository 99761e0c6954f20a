"""The simulator as a whole: a listening socket, its sessions, and what a test may do to it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ami.simulator.answers import Answers
from ami.simulator.config import AmiUser, SimulatorConfig
from ami.simulator.exchange import Exchange
from ami.simulator.farend import CarrierCall
from ami.simulator.faults import Ending, Mishaps
from ami.simulator.pages import write_shutdown
from ami.simulator.playback import Courses, PlayedExchange
from ami.simulator.requests import Headers
from ami.simulator.session import Session

# Seconds that a shutdown gives its clients to read the rest.
_FAREWELL: Final = 1.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What happened since the start. `most_calls` and `most_channels` are the highest numbers
    live at a time; `ids_refused` originates whose ChannelId was in use, or the beginning of one
    that was."""

    originates: int
    answered: int
    ids_refused: int
    live_calls: int
    most_calls: int
    live_channels: int
    most_channels: int
    sessions: int
    events: int


class Simulator:
    """A fake Asterisk with a fake carrier behind it, on a socket that speaks AMI.

    One event loop, no thread: everything is to be called on the loop that `start` ran on.
    """

    def __init__(
        self,
        config: SimulatorConfig | None = None,
        courses: Courses | None = None,
        speed: float = 1.0,
    ) -> None:
        """With `courses` its calls are those, at `speed`, and no far end does anything else."""
        self.config = config or SimulatorConfig()
        self.port = 0
        self.stopping = False
        self._host = ""
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._listeners: tuple[Session, ...] = ()
        self._dirty: list[Session] = []
        self._events = 0
        self._mishaps = Mishaps(self.config.faults, self.config.seed, self)
        hear, began = self._mishaps.hear, self._mishaps.call_began
        self._exchange = (
            Exchange(self.config, hear, began)
            if courses is None
            else PlayedExchange(courses, speed, self.config, hear, began)
        )
        self._answers = Answers(self._exchange)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; `port` 0 takes a free one. `OSError` where the port is taken."""
        self.stopping = False
        self._host = host
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Session(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._mishaps.start()

    async def stop(self) -> None:
        """Close everything; calls are forgotten."""
        self._mishaps.stop()
        await self._halt()

    async def _halt(self) -> None:
        await self._stop_listening()
        self._exchange.forget()
        self.drop_links()
        await self._empty.wait()

    @property
    def listening(self) -> bool:
        return self._server is not None

    @property
    def calls(self) -> Sequence[CarrierCall]:
        """The carrier's log, oldest first, of the last `log_size` calls that reached it."""
        return self._exchange.lines

    @property
    def counters(self) -> Counters:
        exchange = self._exchange
        return Counters(
            originates=exchange.originates,
            answered=exchange.answered,
            ids_refused=exchange.ids_refused,
            live_calls=exchange.live_calls,
            most_calls=exchange.most_calls,
            live_channels=len(exchange.channels),
            most_channels=exchange.channels.most,
            sessions=len(self._sessions),
            events=self._events,
        )

    # -- what a test may do to it

    def drop_links(self) -> None:
        """Every connection is gone at once, without a word; the calls go on."""
        for session in list(self._sessions):
            session.drop()

    def hang_up(self, channel_id: str) -> bool:
        """End one call now, as AMI's Hangup does; False where no channel has that id."""
        return self._exchange.hang_up(channel_id, None)

    def begin_shutdown(self) -> None:
        """`core stop gracefully`: calls go on, and every action is refused from now on."""
        self.stopping = True

    async def shutdown(self, *, restart: bool = False) -> None:
        """`core stop now`: all calls end, then the Shutdown event, then the connections. Nobody
        can connect until `restart()`."""
        self.stopping = True
        await self._stop_listening()
        self._exchange.stop()
        body = write_shutdown(clean=True, restart=restart)
        self._exchange.emit("Shutdown", body, "system,all")
        for session in list(self._sessions):
            session.close()
        try:
            await asyncio.wait_for(self._empty.wait(), _FAREWELL)
        except TimeoutError:
            self.drop_links()
            await self._empty.wait()

    async def restart(self) -> None:
        """Killed and started again on the same port: calls vanish without an event."""
        await self._halt()
        await self.start(self._host, self.port)

    async def interrupt(self, what: Ending, down: float) -> None:
        """End links, or all; for `down` seconds nobody can connect, then it is there again."""
        match what:
            case Ending.CUT if not down:
                self.drop_links()
                return
            case Ending.CUT:
                await self._stop_listening()
                self.drop_links()
                await self._empty.wait()
            case Ending.RESTART:
                await self._halt()
            case Ending.SHUTDOWN:
                await self.shutdown(restart=True)
                self._exchange.forget()
        await asyncio.sleep(down)
        await self.start(self._host, self.port)

    # -- what its sessions need

    @property
    def login_delay(self) -> float:
        return self.config.login_delay

    @property
    def answer_delay(self) -> float:
        return self._mishaps.answer_delay

    @property
    def max_backlog(self) -> int:
        return self.config.max_backlog

    @property
    def uptime(self) -> float:
        return max(0.0, self._exchange.now() - self._exchange.started_at)

    def find_user(self, name: str) -> AmiUser | None:
        return next((user for user in self.config.users if user.name == name), None)

    def answer(self, user: AmiUser, action: str, headers: Headers) -> str:
        return self._answers.answer(user, action, headers)

    def joined(self, session: Session) -> None:
        self._sessions.add(session)
        self._empty.clear()
        self._listeners = tuple(self._sessions)

    def left(self, session: Session) -> None:
        self._sessions.discard(session)
        if not self._sessions:
            self._empty.set()
        self._listeners = tuple(self._sessions)

    def later(self, delay: float, act: Callable[[], None]) -> object:
        return self._exchange.later(delay, act)

    def new_challenge(self) -> str:
        return str(int(self._exchange.now() * 1e6) % 1_000_000_000)

    def flush_soon(self, session: Session) -> None:
        """One write for all that a session gets in one turn of the loop."""
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush)
        self._dirty.append(session)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for session in dirty:
            session.flush()

    def now(self) -> float:
        return self._exchange.now()

    def spread(self, name: str, data: bytes) -> None:
        self._events += 1
        for session in self._listeners:
            session.hear(name, data)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
