"""The supervised link to one Asterisk: connects, logs in, waits until it has booted, watches it,
connects again, and fails by name whatever was in flight when it went."""

import asyncio
import itertools
import logging
import random
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ami.actions import (
    CoreSettings,
    CoreShowChannels,
    CoreStatus,
    Hangup,
    Login,
    Logoff,
    Originate,
    Ping,
)
from ami.errors import (
    ActionRejected,
    ActionTimeout,
    AmiError,
    LinkDown,
    LinkLost,
    LoginRefused,
)
from ami.link import AFTER_REFUSAL, RECONNECT, Backoff, LinkSignal, LinkState, backoff, move
from ami.transport import Endpoint, Session, Tap
from ami.wire import Message

log = logging.getLogger(__name__)

# What the link itself must hear, whatever else is wanted.
_OWN_EVENTS: Final = frozenset({"FullyBooted", "Shutdown", "OriginateResponse"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where an Asterisk is and who we are there. `tls`: the certificate must be valid for `host`,
    by the machine's authorities or by the file `tls_ca`."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    tls: bool = False
    tls_ca: str | None = None

    def endpoint(self) -> Endpoint:
        context = ssl.create_default_context(cafile=self.tls_ca) if self.tls else None
        return Endpoint(self.host, self.port, context)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. A half-open link is noticed within `ping_interval` + `ping_timeout`, a peer that
    does not read within `stall_timeout` of the first byte that it does not take. No byte leaves
    this machine later than `delivery_timeout` after it was written to a peer that confirms nothing
    (on Linux); with None the kernel sends it for as long as the link lasts, and longer where this
    process ended."""

    connect_timeout: float = 5.0
    login_timeout: float = 5.0  # Asterisk itself takes 1 s to refuse one
    booted_timeout: float = 15.0
    action_timeout: float = 10.0
    ping_interval: float = 5.0
    ping_timeout: float = 5.0
    stall_timeout: float = 5.0
    delivery_timeout: float | None = None
    logoff_timeout: float = 1.0
    reconnect: Backoff = RECONNECT
    after_refusal: Backoff = AFTER_REFUSAL


DEFAULT_TIMING: Final = Timing()


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A new state of the link. `startup`: with UP, when that Asterisk started, by its own clock
    and to the second; another stamp than before means that all its calls are gone."""

    state: LinkState
    at_monotonic: float
    reason: str
    startup: str | None = None


class LinkTap(Tap, Protocol):
    """A `Tap` of every connection of a link, told of the link's moves as well."""

    def moved(self, state: LinkState, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """CoreStatus. `startup` as in LinkChange; `channels`: CoreCurrentCalls, which counts
    channels; None where the answer has no such number."""

    startup: str
    channels: int | None
    message: Message


class AmiClient:
    """One Asterisk's link, kept up by `run`. Everything else may be called while it runs.

    `on_event` gets every event named in `wanted`, and OriginateResponse, Shutdown and FullyBooted,
    in the order received and inside the reading of the socket: it must be quick. Should it or
    `on_link` raise, the link is cut and `run` raises the same error. `on_room`: `up` and `flowing`
    are true again after a peer that did not read made one of them false.
    """

    def __init__(
        self,
        address: Address,
        *,
        on_event: Callable[[Message], None],
        on_link: Callable[[LinkChange], None],
        wanted: frozenset[str],
        timing: Timing = DEFAULT_TIMING,
        rng: random.Random | None = None,
        on_room: Callable[[], None] | None = None,
        tap: LinkTap | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.address = address
        self._on_room = on_room
        self._tap = tap
        self._on_event = on_event
        self._on_link = on_link
        self._wanted = wanted | _OWN_EVENTS
        self._timing = timing
        self._rng = rng or random.Random()  # noqa: S311 (jitter, no secret)
        self._clock = clock
        self._sleep = sleep
        self._state = LinkState.DOWN
        self._session: Session | None = None
        self._booted: asyncio.Future[None] | None = None
        self._startup: str | None = None
        self._failures = 0
        name = uuid.uuid4().hex
        self._ids = (f"{name}-{number}" for number in itertools.count(1))

    # --- the link ---

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def up(self) -> bool:
        """Logged in, fully booted, not shutting down, and reading what it is sent."""
        return self._state is LinkState.UP and self._session is not None and self._session.writable

    @property
    def flowing(self) -> bool:
        """`up`, and an Originate would leave this process at once."""
        return self.up and self._session is not None and self._session.flowing

    async def run(self) -> None:
        """Keeps the link until cancelled; then logs off and closes it. Raises what `on_event` or
        `on_link` raised."""
        try:
            while True:
                limits = await self._live()
                self._failures += 1
                await self._sleep(backoff(self._failures, self._rng, limits))
        finally:
            await self._leave()

    async def _live(self) -> Backoff:
        """One connection from its opening to its end; returns how to wait for the next."""
        self._advance(LinkSignal.CONNECT, f"to {self.address.host}:{self.address.port}")
        signal, limits = LinkSignal.LOST, self._timing.reconnect
        reason: AmiError
        try:
            session = await self._open()
            await self._log_in(session)
            await self._come_up(session)
            await self._watch(session)
        except LoginRefused as refusal:
            signal, limits, reason = LinkSignal.LOGIN_REFUSED, self._timing.after_refusal, refusal
        except AmiError as error:
            reason = error
        self._drop(reason)
        self._advance(signal, str(reason))
        return limits

    async def _open(self) -> Session:
        self._booted = asyncio.get_running_loop().create_future()
        timing = self._timing
        try:
            endpoint = self.address.endpoint()
        except OSError as error:
            raise LinkDown(f"tls_ca: {error}") from error
        session = await Session.open(
            endpoint,
            self._deliver,
            wanted=self._wanted,
            connect_timeout=timing.connect_timeout,
            action_timeout=timing.action_timeout,
            stall_timeout=timing.stall_timeout,
            on_room=self._on_room,
            tap=self._tap,
            delivery_timeout=timing.delivery_timeout,
        )
        self._session = session
        self._advance(LinkSignal.CONNECTED, "connected")
        return session

    async def _log_in(self, session: Session) -> None:
        login = Login(next(self._ids), self.address.username, self.address.secret)
        try:
            await session.send(login, self._timing.login_timeout)
        except ActionRejected as rejection:
            if _says_shutdown(rejection):
                raise LinkLost(rejection.message) from None
            raise LoginRefused(rejection.message) from None
        self._advance(LinkSignal.LOGIN_ACCEPTED, session.banner or "no greeting")

    async def _come_up(self, session: Session) -> None:
        """Waits for FullyBooted, and reads the startup stamp."""
        assert self._booted is not None
        ends: set[asyncio.Future[Any]] = {self._booted, session.lost}
        await asyncio.wait(
            ends,
            timeout=self._timing.booted_timeout,
            return_when=asyncio.FIRST_COMPLETED,
        )
        notes = []
        if not self._booted.done():
            # A user without read `system` never gets the event.
            notes.append(f"no FullyBooted within {self._timing.booted_timeout:g} s")
        self._startup = None
        try:
            self._startup = _server_status(await session.send(CoreStatus(next(self._ids)))).startup
        except ActionRejected as rejection:
            if _says_shutdown(rejection):
                raise LinkLost(rejection.message) from None
            notes.append(f"no CoreStatus ({rejection.message})")
        if self._state is LinkState.BOOTING:  # it may have announced its shutdown meanwhile
            self._advance(LinkSignal.BOOTED, "; ".join(notes) or "fully booted")

    async def _watch(self, session: Session) -> None:
        """Pings until the link ends; raises why it did."""
        while True:
            await asyncio.wait({session.lost}, timeout=self._timing.ping_interval)
            if session.lost.done():
                raise session.lost.result()
            try:
                await session.send(Ping(next(self._ids)), self._timing.ping_timeout)
            except ActionRejected as rejection:
                self._heed(session, rejection)
            except ActionTimeout:
                raise LinkLost(
                    f"no answer to a ping within {self._timing.ping_timeout:g} s"
                ) from None
            except (LinkDown, LinkLost):
                continue  # `lost` says why; a peer that does not read has a time limit of its own
            else:
                self._failures = 0
                if self._state is LinkState.SHUTTING_DOWN:
                    self._advance(LinkSignal.SHUTDOWN_ABORTED, "takes actions again")

    def _drop(self, reason: AmiError) -> None:
        """Ends the connection, if there is one; raises what a callback of ours raised."""
        session, self._session = self._session, None
        if session is None:
            return
        session.abort(reason)
        ended = session.lost.result()
        if not isinstance(ended, AmiError):
            raise ended

    async def _leave(self) -> None:
        session, self._session = self._session, None
        if self._state is LinkState.DOWN:
            return
        self._advance(LinkSignal.LEAVE, "leaving")
        if session is not None:
            await self._log_off(session)
        self._advance(LinkSignal.LOST, "left")

    async def _log_off(self, session: Session) -> None:
        try:
            await session.send(Logoff(next(self._ids)), self._timing.logoff_timeout)
            await session.close(self._timing.logoff_timeout)
        except AmiError as error:
            log.debug("no answer to Logoff", extra={"error": str(error)})
        finally:
            session.abort(LinkLost("left"))

    def _advance(self, signal: LinkSignal, reason: str) -> None:
        state = move(self._state, signal)
        if state is self._state:
            return
        self._state = state
        address = self.address
        where = {"host": address.host, "port": address.port}
        log.info("link moved", extra={**where, "state": state.value, "why": reason})
        if self._tap is not None:
            self._tap.moved(state, reason)
        startup = self._startup if state is LinkState.UP else None
        self._on_link(LinkChange(state, self._clock(), reason, startup))

    def _deliver(self, message: Message) -> None:
        if message.name == "FullyBooted":
            if self._booted is not None and not self._booted.done():
                self._booted.set_result(None)
        elif message.name == "Shutdown":
            self._see_shutdown("Event: Shutdown")
        self._on_event(message)

    def _see_shutdown(self, reason: str) -> None:
        if self._state in (LinkState.BOOTING, LinkState.UP):
            self._advance(LinkSignal.SHUTDOWN_SEEN, reason)

    def _heed(self, session: Session, rejection: BaseException | None) -> None:
        """Learns from an answer that Asterisk is going down."""
        if isinstance(rejection, ActionRejected) and _says_shutdown(rejection):
            try:
                self._see_shutdown(rejection.message)
            except Exception as error:
                session.abort(error)

    # --- actions ---

    def originate(self, originate: Originate) -> "asyncio.Future[Message]":
        """Writes the Originate before it returns, or has it wait its turn behind what the peer has
        not taken yet. Raises ActionInvalid or LinkDown: then nothing was written. The future: the
        response ("successfully queued" means only that Asterisk tries), ActionRejected, LinkDown
        (the link went and it certainly was not run), or, with the outcome unknown, ActionTimeout
        or LinkLost."""
        if self._state is not LinkState.UP:
            raise LinkDown(f"the link is {self._state.value}")
        session = self._require_session()
        answer = session.send(originate)
        answer.add_done_callback(lambda done: self._see_answer(session, done))
        return answer

    def _see_answer(self, session: Session, done: "asyncio.Future[Message]") -> None:
        if done.cancelled():
            return
        rejection = done.exception()
        if rejection is None:
            self._failures = 0  # a link that served: where it falls, the next one is near
        self._heed(session, rejection)

    async def hangup(self, channel_id: str, cause: int | None = None) -> bool:
        """Hangs up the channel whose Uniqueid is `channel_id`; False: there is none. Raises
        ActionInvalid, LinkDown, ActionRejected, ActionTimeout, LinkLost, as all below."""
        session = self._require_session()
        try:
            await session.send(Hangup(next(self._ids), channel_id, cause))
        except ActionRejected as rejection:
            if rejection.message.startswith("No such channel"):
                return False
            self._heed(session, rejection)
            raise
        return True

    async def channels(self) -> tuple[Message, ...]:
        """One CoreShowChannel message for every live channel. Also raises ProtocolBroken, when
        the list is shorter than it says."""
        return await self._require_session().collect(
            CoreShowChannels(next(self._ids)), "CoreShowChannel", "CoreShowChannelsComplete"
        )

    async def core_status(self) -> ServerStatus:
        return _server_status(await self._require_session().send(CoreStatus(next(self._ids))))

    async def core_settings(self) -> Message:
        return await self._require_session().send(CoreSettings(next(self._ids)))

    async def ping(self) -> float:
        """Seconds that a Ping took to be answered."""
        begun = self._clock()
        await self._require_session().send(Ping(next(self._ids)))
        return self._clock() - begun

    def _require_session(self) -> Session:
        session = self._session
        if session is None or self._state not in (LinkState.UP, LinkState.SHUTTING_DOWN):
            raise LinkDown(f"the link is {self._state.value}")
        return session


def _says_shutdown(rejection: ActionRejected) -> bool:
    """From `core stop gracefully` on every action is refused so (main/manager.c)."""
    return rejection.message.startswith("Asterisk is shutting down")


def _server_status(message: Message) -> ServerStatus:
    channels = message.get("CoreCurrentCalls")
    return ServerStatus(
        startup=f"{message.get('CoreStartupDate')} {message.get('CoreStartupTime')}",
        channels=int(channels) if channels.isdecimal() else None,
        message=message,
    )
