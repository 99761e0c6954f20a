"""Where Redis listens, read from a URL. Pure: asyncio-redis takes no URLs.

`redis://[[user]:password@]host[:port][/db]`, or `unix://[[user]:password@]/path[?db=N]`.
"""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

DEFAULT_PORT = 6379


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """`path` is set for a unix socket, else `host` and `port` count."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    path: str | None = None
    db: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """For operators: without the password."""
        place = self.path or f"{self.host}:{self.port}"
        return f"{place}, database {self.db}" if self.db else place


def parse_address(url: str) -> RedisAddress:
    """Raises `ValueError` with a sentence for whoever wrote the URL, without the password."""
    parts = _split(url)
    if parts.scheme == "rediss":
        raise ValueError(
            "may not be rediss://: there is no TLS to Redis here; use redis:// in a private"
            " network or through a tunnel"
        )
    if parts.scheme not in ("redis", "unix"):
        raise ValueError("must begin with redis:// or unix://")
    if parts.fragment:
        raise ValueError("may hold no #: write it as %23")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if user and not password:
        raise ValueError("names a user without a password: write redis://USER:PASSWORD@HOST")
    if parts.scheme == "unix":
        return _unix(parts, user, password)
    host, port = _host(parts)
    if parts.query:
        raise ValueError("may hold no ?: the database's number stands behind the last /")
    return RedisAddress(host, port, None, _number(parts.path.strip("/")), user, password)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("is no URL: write redis://HOST:PORT/DATABASE") from None


def _host(parts: SplitResult) -> tuple[str, int]:
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("has a port that is no number from 1 to 65535") from None
    if not host:
        raise ValueError("names no host: write redis://HOST:PORT/DATABASE")
    if port == 0:
        raise ValueError("has a port that is no number from 1 to 65535")
    return host, port or DEFAULT_PORT


def _unix(parts: SplitResult, user: str | None, password: str | None) -> RedisAddress:
    path = unquote(parts.path)
    if parts.hostname or len(path) < 2:
        raise ValueError("names no socket: write unix:///PATH")
    query = dict(parse_qsl(parts.query))
    if set(query) - {"db"}:
        raise ValueError("may hold ?db=NUMBER and nothing else behind the path")
    return RedisAddress(path=path, db=_number(query.get("db", "")), user=user, password=password)


def _number(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 4:
        raise ValueError("has a database that is no number")
    return int(text)
