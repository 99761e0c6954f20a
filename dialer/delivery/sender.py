"""Sends one delivery over HTTP, with aiohttp's own client (docs/decisions: the HTTP client of
deliveries). Nothing of the receiver's is trusted: no redirects, no cookies, no decompression, a
bounded body, bounded time, and no proxy taken from the environment.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from types import TracebackType
from typing import Final, Self

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
from dialer.delivery.schedule import parse_retry_after
from dialer.delivery.sgapi import KIND as SGAPI
from dialer.delivery.verdict import KEPT_TEXT, Answer
from dialer.redaction import Redactor, find_url_secrets
from dialer.store.contract import Delivery

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for name lookup, TCP and TLS together."""

TOTAL_TIMEOUT: Final = 15.0
"""Seconds for the whole try."""

MOST_READ: Final = 64 * 1024
"""Bytes of a response that are read; a longer one costs the connection, not the delivery."""

MOST_LOOKED_AT: Final = 4 * KEPT_TEXT
"""Bytes of an error's body that are searched for secrets before it is cut: one that began in what
is kept would else be kept in part."""

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")

USER_AGENT: Final = f"ami-dialer/{version('ami-dialer')}"


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """`sgapi_address` is where SGAPI deliveries go now, whatever was true when they were stored:
    an operator who corrects SGAPI_URL moves what waits, too."""

    allow_private: bool = False
    sgapi_address: str | None = None
    sgapi_token: str | None = None
    connect_timeout: float = CONNECT_TIMEOUT
    total_timeout: float = TOTAL_TIMEOUT


class Sender:
    """Two connection pools: one for callbacks, which may lead to public addresses only (unless
    allowed), one for SGAPI, whose address is the operator's own and not checked. An open pooled
    connection of one is never used by the other. An async context manager."""

    def __init__(
        self, clock: Clock, settings: SenderSettings, lookup: Lookup | None = None
    ) -> None:
        self._clock = clock
        self._settings = settings
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
        """One try: the stored bytes, under the same event id every time. Never raises for what
        the network or the receiver does."""
        session, url, headers = self._address(delivery)
        redactor = _make_redactor(url, self._settings.sgapi_token)
        headers["Content-Type"] = "application/json"
        headers["Idempotency-Key"] = delivery.event_id
        try:
            async with session.request(
                delivery.method,
                _parse_url(url),
                data=delivery.body.encode(),
                headers=headers,
                allow_redirects=False,
            ) as response:
                text = await _read_text(response, redactor)
                retry_after = parse_retry_after(
                    response.headers.get("Retry-After"), self._clock.now()
                )
                return Answer(response.status, retry_after, text)
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            return Answer(None, error=redactor.hide_secrets(self._explain(error)))

    def _address(self, delivery: Delivery) -> tuple[ClientSession, str, dict[str, str]]:
        sgapi = delivery.kind == SGAPI
        session = self._sgapi if sgapi else self._callbacks
        if session is None:
            raise RuntimeError("the sender is not open")
        if sgapi:
            return session, self._settings.sgapi_address or delivery.url, {**self._authorization}
        return session, delivery.url, {}

    def _open_session(self, *, guarded: bool) -> ClientSession:
        return ClientSession(
            connector=open_connector(guarded=guarded, lookup=self._lookup),
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


def clean_text(text: str) -> str:
    """One printable line of at most 1 KiB."""
    line = "".join(c if c.isprintable() else " " for c in text[:KEPT_TEXT])
    return line.strip().encode(errors="replace")[:KEPT_TEXT].decode(errors="ignore")


@lru_cache(maxsize=256)
def _make_redactor(url: str, token: str | None) -> Redactor:
    """Knows what a receiver may give back in an error's text: our token, and those of its URL."""
    redactor = Redactor()
    redactor.learn(token, *find_url_secrets(url))
    return redactor


async def _read_text(response: ClientResponse, redactor: Redactor) -> str:
    """Read the body to its end, for the connection's next use, and return the start of an error's,
    without secrets. The status is the answer: a body that is cut off, slow or too long changes
    nothing."""
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
    if response.ok or not kept:
        return ""
    return clean_text(redactor.hide_secrets(kept.decode(errors="replace")))


@lru_cache(maxsize=4096)
def _parse_url(url: str) -> URL:
    """The URL byte for byte where it is written as RFC 3986 wants it: yarl would decode %2F in a
    query, and a receiver may have signed what it gave us."""
    return URL(url, encoded=_WELL_FORMED.fullmatch(url) is not None)
