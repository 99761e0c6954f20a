"""Sends one delivery over HTTP, with aiohttp's own client (docs/decisions: the HTTP client of
deliveries). Nothing of the receiver's is trusted: no redirects, no cookies, no decompression, a
bounded body, bounded time, and no proxy taken from the environment.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from types import TracebackType
from typing import Final, NamedTuple, Self

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    InvalidURL,
    ServerDisconnectedError,
)
from yarl import URL

from dialer.clock import Clock
from dialer.delivery.connector import Lookup, open_connector
from dialer.delivery.following import name_task
from dialer.delivery.schedule import parse_retry_after
from dialer.delivery.sgapi import KIND as SGAPI
from dialer.delivery.sgapi import locate
from dialer.delivery.signing import sign
from dialer.delivery.verdict import KEPT_TEXT, Answer, clean_text
from dialer.redaction import MASK, Redactor, find_url_secrets
from dialer.states import DeliveryState
from dialer.store.contract import Delivery

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for name lookup, TCP and TLS together."""

WRITE_TIMEOUT: Final = 10.0
"""Seconds in which the other side must take what is sent."""

TOTAL_TIMEOUT: Final = 15.0
"""Seconds for the whole try."""

MOST_READ: Final = 64 * 1024
"""Bytes of a response that are read; a longer one costs the connection, not the delivery."""

MOST_LOOKED_AT: Final = 4 * KEPT_TEXT
"""Bytes of a body that are searched for secrets before it is cut (one that began in what is kept
would else be kept in part), and that are read of what SGAPI says."""

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")

USER_AGENT: Final = f"ami-dialer/{version('ami-dialer')}"


SecretsOf = Callable[[int, float], Iterable[bytes]]
"""The live signing secrets of a client at a time (epoch seconds)."""

_JSON: Final = {"Content-Type": "application/json"}


def unsigned(client_id: int, now: float) -> tuple[bytes, ...]:
    """Nobody has a signing secret."""
    return ()


class Request(NamedTuple):
    """What one try says. `target` is the receiver's own address, of which `url` may be a part."""

    method: str
    url: str
    target: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """`sgapi_address` is where SGAPI deliveries go now, whatever was true when they were stored:
    an operator who corrects SGAPI_URL moves what waits, too."""

    allow_private: bool = False
    sgapi_address: str | None = None
    sgapi_token: str | None = None
    connect_timeout: float = CONNECT_TIMEOUT
    write_timeout: float = WRITE_TIMEOUT
    total_timeout: float = TOTAL_TIMEOUT


class Sender:
    """Two connection pools: one for callbacks, which may lead to public addresses only (unless
    allowed), one for SGAPI, whose address is the operator's own and not checked. An open pooled
    connection of one is never used by the other. An async context manager."""

    def __init__(
        self,
        clock: Clock,
        settings: SenderSettings,
        secrets_of: SecretsOf = unsigned,
        lookup: Lookup | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._secrets_of = secrets_of
        self._lookup = lookup
        self._callbacks: ClientSession | None = None
        self._sgapi: ClientSession | None = None
        self._authorization = (
            {"Authorization": f"Bearer {settings.sgapi_token}"} if settings.sgapi_token else {}
        )

    async def __aenter__(self) -> Self:
        self._callbacks = self._open_session(guarded=not self._settings.allow_private)
        self._sgapi = self._open_session(guarded=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in (self._callbacks, self._sgapi):
            if session is not None:
                await session.close()

    async def send(self, delivery: Delivery) -> Answer:
        """One try: the stored bytes, under the same event id every time; of what SGAPI has
        accepted, one look at its task. Never raises for what the network or the receiver does."""
        session = self._sgapi if delivery.kind == SGAPI else self._callbacks
        if session is None:
            raise RuntimeError("the sender is not open")
        request = self._make_request(delivery)
        redactor = _make_redactor(request.target, self._settings.sgapi_token)
        try:
            async with session.request(
                request.method,
                _parse_url(request.url),
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
            ) as response:
                content = await _read_start(response)
                retry_after = parse_retry_after(
                    response.headers.get("Retry-After"), self._clock.now()
                )
                text = "" if response.ok else _read_text(content, redactor)
                told = self._hide_token(content) if delivery.kind == SGAPI else b""
                return Answer(response.status, retry_after, text, content=told)
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            return Answer(None, error=redactor.hide_secrets(self._explain(error)))

    def _make_request(self, delivery: Delivery) -> Request:
        if delivery.kind != SGAPI:
            body = delivery.body.encode()
            now = self._clock.now()
            secrets = self._secrets_of(delivery.client_id, now)
            headers = _JSON | sign(secrets, delivery.event_id, now, body)
            headers["Idempotency-Key"] = delivery.event_id
            return Request(delivery.method, delivery.url, delivery.url, headers, body)
        url = locate(delivery.url, self._settings.sgapi_address)
        if delivery.state is DeliveryState.ACCEPTED:
            task = name_task(url, delivery.event_id)
            return Request("GET", task, url, self._authorization, None)
        headers = _JSON | self._authorization
        headers["Idempotency-Key"] = delivery.event_id
        return Request(delivery.method, url, url, headers, delivery.body.encode())

    def _hide_token(self, content: bytes) -> bytes:
        token = self._settings.sgapi_token
        return content.replace(token.encode(), MASK.encode()) if token else content

    def _open_session(self, *, guarded: bool) -> ClientSession:
        return ClientSession(
            connector=open_connector(
                guarded=guarded,
                write_timeout=self._settings.write_timeout,
                lookup=self._lookup,
            ),
            timeout=ClientTimeout(
                total=self._settings.total_timeout, connect=self._settings.connect_timeout
            ),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    def _explain(self, error: Exception) -> str:
        if isinstance(error, ConnectionTimeoutError):
            return f"no connection within {self._settings.connect_timeout:g} s"
        if isinstance(error, TimeoutError):
            return f"no answer within {self._settings.total_timeout:g} s"
        if isinstance(error, ClientConnectorError):
            return clean_text(f"no connection: {error.os_error}")
        if isinstance(error, ServerDisconnectedError):
            return "connection lost before an answer"
        if isinstance(error, InvalidURL):
            return "not a usable URL"
        return clean_text(f"{type(error).__name__}: {error}")


@lru_cache(maxsize=256)
def _make_redactor(url: str, token: str | None) -> Redactor:
    """Knows what a receiver may give back in an error's text: our token, and those of its URL."""
    redactor = Redactor()
    redactor.learn(token, *find_url_secrets(url))
    return redactor


async def _read_start(response: ClientResponse) -> bytes:
    """Read the body to its end, for the connection's next use, and return its start. The status is
    the answer: a body that is cut off, slow or too long changes nothing."""
    kept = b""
    size = 0
    try:
        while chunk := await response.content.read(MOST_READ):
            size += len(chunk)
            kept += chunk[: MOST_LOOKED_AT - len(kept)]
            if size > MOST_READ:
                response.close()
                break
    except (ClientError, OSError, TimeoutError):
        response.close()
    return kept


def _read_text(content: bytes, redactor: Redactor) -> str:
    """The start of an error's body, without secrets."""
    if not content:
        return ""
    return clean_text(redactor.hide_secrets(content.decode(errors="replace")))


@lru_cache(maxsize=4096)
def _parse_url(url: str) -> URL:
    """The URL byte for byte where it is written as RFC 3986 wants it: yarl would decode %2F in a
    query, and a receiver may have signed what it gave us."""
    return URL(url, encoded=_WELL_FORMED.fullmatch(url) is not None)
