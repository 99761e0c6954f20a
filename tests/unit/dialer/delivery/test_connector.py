import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp import ClientConnectorError, ClientSession, web

from dialer.delivery.address import ForbiddenAddress
from dialer.delivery.connector import (
    AddressInfo,
    DaemonResolver,
    Lookup,
    make_guarded_socket,
    open_connector,
)
from tests.patience import PATIENCE


def answer(*addresses: str) -> Sequence[AddressInfo]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


def lead_to(*addresses: str) -> Lookup:
    return lambda host, port, family: answer(*addresses)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server on 127.0.0.1 that answers 200."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text="reached")

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def fetch(url: str, *, guarded: bool, lookup: Lookup | None = None) -> str:
    connector = open_connector(guarded=guarded, write_timeout=5.0, lookup=lookup)
    async with ClientSession(connector=connector) as session, session.get(url) as response:
        return await response.text()


def test_the_socket_of_a_forbidden_address_is_never_made() -> None:
    with pytest.raises(ForbiddenAddress, match=r"169\.254\.169\.254: link-local"):
        make_guarded_socket(answer("169.254.169.254")[0])


def test_the_socket_of_a_public_address_is_made() -> None:
    made = make_guarded_socket(answer("8.8.8.8")[0])
    assert made.family == socket.AF_INET
    made.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "a.example"])
async def test_guarded_connections_reach_nothing_private(host: str, port: int) -> None:
    with pytest.raises(ClientConnectorError) as caught:
        await fetch(f"http://{host}:{port}/", guarded=True, lookup=lead_to("127.0.0.1"))
    assert "forbidden address" in str(caught.value.os_error)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "017700000001", "[::ffff:7f00:1]"])
async def test_odd_spellings_reach_nothing_private(host: str, port: int) -> None:
    with pytest.raises((ClientConnectorError, ValueError)):
        await fetch(f"http://{host}:{port}/", guarded=True)


async def test_a_name_that_changes_its_mind_is_judged_by_what_is_connected_to(port: int) -> None:
    """DNS rebinding: public when looked at first, loopback when connected to."""
    answers = [answer("8.8.8.8"), answer("127.0.0.1")]

    def flip(host: str, port: int, family: int) -> Sequence[AddressInfo]:
        return answers.pop(0)

    first = flip("a.example", port, 0)
    assert first == answer("8.8.8.8")
    with pytest.raises(ClientConnectorError) as caught:
        await fetch(f"http://a.example:{port}/", guarded=True, lookup=flip)
    assert "forbidden address" in str(caught.value.os_error)


async def test_every_address_of_a_name_is_judged(port: int) -> None:
    lookup = lead_to("127.0.0.1", "127.0.0.2")
    with pytest.raises(ClientConnectorError) as caught:
        await fetch(f"http://a.example:{port}/", guarded=True, lookup=lookup)
    assert "forbidden address" in str(caught.value.os_error)


async def test_unguarded_connections_reach_loopback(port: int) -> None:
    assert await fetch(f"http://127.0.0.1:{port}/", guarded=False) == "reached"
    lookup = lead_to("127.0.0.1")
    assert await fetch(f"http://a.example:{port}/", guarded=False, lookup=lookup) == "reached"


async def test_a_name_that_does_not_exist() -> None:
    def fail(host: str, port: int, family: int) -> Sequence[AddressInfo]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(ClientConnectorError, match="Name or service not known"):
        await fetch("http://nowhere.example/", guarded=True, lookup=fail)


async def test_a_name_that_cannot_be_one() -> None:
    def fail(host: str, port: int, family: int) -> Sequence[AddressInfo]:
        raise UnicodeEncodeError("idna", host, 0, 1, "label too long")

    with pytest.raises(OSError, match="is not a host name"):
        await DaemonResolver(fail).resolve("x" * 70)


async def test_a_dead_name_server_holds_up_only_its_own_names() -> None:
    release = threading.Event()

    def look_up(host: str, port: int, family: int) -> Sequence[AddressInfo]:
        if host == "dead.example":
            release.wait(30)
        return answer("8.8.8.8")

    resolver = DaemonResolver(look_up)
    stuck = asyncio.create_task(resolver.resolve("dead.example"))
    (found,) = await asyncio.wait_for(resolver.resolve("alive.example", 80), PATIENCE)
    assert (found["host"], found["port"], found["hostname"]) == ("8.8.8.8", 80, "alive.example")
    assert not stuck.done()
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    release.set()
    await resolver.close()
