import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web

from dialer.delivery.sender import MOST_READ, Sender, SenderSettings
from dialer.delivery.sgapi import locate_entity
from dialer.delivery.signing import sign
from dialer.delivery.verdict import KEPT_TEXT, Answer, clean_text
from dialer.states import DeliveryState
from dialer.store.contract import Delivery
from tests.patience import PATIENCE
from tests.unit.dialer.delivery.samples import NOW, make_delivery

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FixedClock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class Receiver:
    """A server on loopback that keeps what it got and answers as told."""

    def __init__(self) -> None:
        self.handle: Handler = self.accept
        self.requests: list[tuple[str, str, dict[str, str], str]] = []
        self.connections: set[object] = set()
        self.url = ""

    async def accept(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="thanks")

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.requests.append((request.method, request.raw_path, dict(request.headers), body))
        self.connections.add(request.transport)
        return await self.handle(request)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.serve)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(FixedClock(), SenderSettings(allow_private=True)) as made:
        yield made


def to(receiver: Receiver, number: int = 1, endpoint: str = "https://a:443") -> Delivery:
    return replace(make_delivery(number, endpoint), url=f"{receiver.url}/hook?a=b%2Fc")


async def test_a_callback_on_the_wire(receiver: Receiver, sender: Sender) -> None:
    assert await sender.send(to(receiver)) == Answer(200)
    ((method, path, headers, body),) = receiver.requests
    assert (method, path, body) == ("POST", "/hook?a=b%2Fc", '{"n":1}')
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "event-1"
    assert headers["User-Agent"].startswith("ami-dialer/")
    assert headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in headers


async def test_repetitions_are_the_same_and_share_a_connection(
    receiver: Receiver, sender: Sender
) -> None:
    for _ in range(5):
        await sender.send(to(receiver))
    assert len({(path, body) for _, path, _, body in receiver.requests}) == 1
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in receiver.requests}) == 1
    assert len(receiver.connections) == 1


async def test_sgapi_has_the_token_and_the_present_address(receiver: Receiver) -> None:
    settings = SenderSettings(sgapi_address=f"{receiver.url}/cdrtosgapi", sgapi_token="s3cret")
    async with Sender(FixedClock(), settings) as sender:
        stored = make_delivery(1, "sgapi", url="http://127.0.0.1:1/old")
        assert (await sender.send(stored)).status == 200
    ((method, path, headers, _),) = receiver.requests
    assert (method, path) == ("PUT", "/cdrtosgapi")
    assert headers["Authorization"] == "Bearer s3cret"


async def test_a_cdr_with_an_entity_of_its_own_keeps_it_at_the_present_address(
    receiver: Receiver,
) -> None:
    own = locate_entity("http://127.0.0.1:1/old", "outbound_sales")
    settings = SenderSettings(sgapi_address=f"{receiver.url}/cdrtosgapi/operators")
    async with Sender(FixedClock(), settings) as sender:
        stored = make_delivery(1, "sgapi", url=own)
        assert (await sender.send(stored)).status == 200
    async with Sender(FixedClock(), SenderSettings()) as sender:  # no SGAPI_URL any more
        stored = make_delivery(1, "sgapi", url=locate_entity(receiver.url, "inbound"))
        assert (await sender.send(stored)).status == 200
    paths = [path for _, path, _, _ in receiver.requests]
    assert paths == ["/cdrtosgapi/outbound_sales", "/cdrtosgapi/inbound"]


async def test_callbacks_may_not_lead_to_loopback_but_sgapi_may(receiver: Receiver) -> None:
    async with Sender(FixedClock(), SenderSettings()) as sender:
        assert (await sender.send(to(receiver, endpoint="sgapi"))).status == 200
        answer = await sender.send(to(receiver))  # there is an open connection by now
    assert answer.status is None
    assert answer.error is not None
    assert "forbidden address (127.0.0.1: loopback)" in answer.error
    assert len(receiver.requests) == 1


async def test_an_errors_text_and_retry_after_come_back(receiver: Receiver, sender: Sender) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        text = "no\x00\r\n\x1b[31m room é" + "x" * 5000
        return web.Response(status=503, text=text, headers={"Retry-After": "17"})

    receiver.handle = refuse
    answer = await sender.send(to(receiver))
    assert (answer.status, answer.retry_after) == (503, 17.0)
    assert answer.text.startswith("no    [31m room é")
    assert len(answer.text.encode()) <= KEPT_TEXT


async def test_redirects_are_not_followed(receiver: Receiver, sender: Sender) -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    receiver.handle = redirect
    assert (await sender.send(to(receiver))).status == 307
    assert len(receiver.requests) == 1


async def test_cookies_are_not_kept(receiver: Receiver, sender: Sender) -> None:
    async def bake(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Set-Cookie": "a=b"})

    receiver.handle = bake
    await sender.send(to(receiver))
    await sender.send(to(receiver))
    assert all("Cookie" not in headers for _, _, headers, _ in receiver.requests)


async def test_a_body_without_end_costs_the_connection_not_the_delivery(
    receiver: Receiver, sender: Sender
) -> None:
    gone = asyncio.Event()

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * MOST_READ)
        finally:
            gone.set()

    receiver.handle = flood
    assert await sender.send(to(receiver)) == Answer(200)
    await asyncio.wait_for(gone.wait(), PATIENCE)
    receiver.handle = receiver.accept
    assert await sender.send(to(receiver)) == Answer(200)
    assert len(receiver.connections) == 2


async def test_a_body_that_is_cut_off_does_not_undo_the_status(
    receiver: Receiver, sender: Sender
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    receiver.handle = cut
    assert await sender.send(to(receiver)) == Answer(200)


async def test_no_answer_in_time(receiver: Receiver) -> None:
    release = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    receiver.handle = hang
    settings = SenderSettings(allow_private=True, total_timeout=0.05)
    async with Sender(FixedClock(), settings) as sender:
        answer = await sender.send(to(receiver))
    release.set()
    assert answer == Answer(None, error="no answer within 0.05 s")


async def test_a_connection_that_is_lost(receiver: Receiver, sender: Sender) -> None:
    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    receiver.handle = drop
    answer = await sender.send(to(receiver))
    assert answer == Answer(None, error="connection lost before an answer")


async def test_nobody_listens(sender: Sender) -> None:
    answer = await sender.send(make_delivery(1, url="http://127.0.0.1:1/"))
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("no connection: ")


async def test_an_answer_that_is_not_http(sender: Sender) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        answer = await sender.send(make_delivery(1, url=f"http://127.0.0.1:{port}/"))
    assert answer.status is None
    assert answer.error


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("", "/"),
        ("/", "/"),
        ("/a%2Fb?c=http%3A%2F%2Fd&e=%20+", "/a%2Fb?c=http%3A%2F%2Fd&e=%20+"),
        ("/é x", "/%C3%A9%20x"),
        ("/a#part", "/a"),
    ],
)
async def test_the_url_is_sent_as_it_was_given(
    path: str, seen: str, receiver: Receiver, sender: Sender
) -> None:
    await sender.send(make_delivery(1, url=receiver.url + path))
    assert receiver.requests[0][1] == seen


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://a.example/", "http://", "http://a.example:99999/", "http://[::1"]
)
async def test_unusable_urls_are_answers_not_errors(url: str, sender: Sender) -> None:
    answer = await sender.send(make_delivery(1, url=url))
    assert answer.status is None
    assert answer.error


async def test_a_sender_that_is_not_open_is_our_own_bug() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await Sender(FixedClock(), SenderSettings()).send(make_delivery(1))


def test_clean_text() -> None:
    assert clean_text("  a\r\nb\x00\u2028c  ") == "a  b  c"
    assert len(clean_text("é" * 3000).encode()) == KEPT_TEXT
    assert clean_text("\ud800x") == "x"


TOKEN = "canary-url-token"


@pytest.mark.parametrize("status", [400, 410, 500])
async def test_what_is_kept_of_an_errors_body_has_no_token_of_the_url(
    receiver: Receiver, sender: Sender, status: int
) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        # The token stands across the end of what is kept.
        filler = "x" * (KEPT_TEXT - 8)
        return web.Response(status=status, text=f"{filler}{TOKEN} {request.url} {TOKEN}")

    receiver.handle = echo
    delivery = replace(to(receiver), url=f"{receiver.url}/hook?key={TOKEN}#part")
    answer = await sender.send(delivery)
    assert answer.status == status
    assert answer.text.startswith("x" * (KEPT_TEXT - 8) + "***")
    assert TOKEN[:9] not in answer.text


async def test_an_answer_that_is_no_http_shows_no_token(sender: Sender) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()) + b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        url = f"http://127.0.0.1:{port}/T0AAAAAAA0123456789/hook?key={TOKEN}"
        answer = await sender.send(replace(make_delivery(1), url=url))
    assert answer.error is not None
    assert f"http://127.0.0.1:{port}/***/hook?***" in answer.error
    assert "T0AAAAAAA" not in answer.error
    assert TOKEN not in answer.error


async def test_the_gateway_cannot_give_our_token_back(receiver: Receiver) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text=f"no: {request.headers['Authorization'][7:]}")

    receiver.handle = echo
    settings = SenderSettings(sgapi_address=f"{receiver.url}/cdrtosgapi", sgapi_token="s3cret")
    async with Sender(FixedClock(), settings) as sender:
        answer = await sender.send(make_delivery(1, "sgapi"))
    assert answer == Answer(401, text="no: ***", content=b"no: ***")


def live_secrets(client_id: int, now: float) -> tuple[bytes, ...]:
    assert (client_id, now) == (7, NOW)
    return (b"n" * 32, b"o" * 32)


async def test_callbacks_carry_signatures_and_sgapi_does_not(receiver: Receiver) -> None:
    settings = SenderSettings(allow_private=True)
    async with Sender(FixedClock(), settings, live_secrets) as sender:
        await sender.send(to(receiver))
        await sender.send(to(receiver, endpoint="sgapi"))
    (_, _, signed, body), (_, _, plain, _) = receiver.requests
    assert (signed["webhook-id"], signed["webhook-timestamp"]) == ("event-1", str(int(NOW)))
    expected = sign(live_secrets(7, NOW), "event-1", NOW, body.encode())
    assert signed["webhook-signature"] == expected["webhook-signature"]
    assert signed["webhook-signature"].count("v1,") == 2
    assert not {name.lower() for name in plain} & set(expected)


async def test_what_sgapi_accepted_is_asked_for(receiver: Receiver) -> None:
    async def tell(request: web.Request) -> web.StreamResponse:
        return web.json_response({"data": {"state": "completed", "sgapi_reference": "s3cret"}})

    receiver.handle = tell
    settings = SenderSettings(
        sgapi_address=f"{receiver.url}/cdrtosgapi/sales", sgapi_token="s3cret"
    )
    async with Sender(FixedClock(), settings) as sender:
        accepted = make_delivery(1, "sgapi tasks", kind="sgapi", state=DeliveryState.ACCEPTED)
        answer = await sender.send(accepted)
    assert answer.content == b'{"data": {"state": "completed", "sgapi_reference": "***"}}'
    ((method, path, headers, body),) = receiver.requests
    assert (method, path, body) == ("GET", "/cdrtosgapi/event-1", "")
    assert headers["Authorization"] == "Bearer s3cret"
    assert not {"Content-Type", "Idempotency-Key"} & set(headers)


async def test_a_receiver_that_does_not_read_is_cut() -> None:
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        accepted.put_nowait(writer)

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(ignore, sock=listener, limit=1)
    port = listener.getsockname()[1]
    async with server:
        settings = SenderSettings(allow_private=True, write_timeout=0.2, total_timeout=30.0)
        async with Sender(FixedClock(), settings) as impatient:
            body = "x" * 1_000_000  # more than the system keeps for a reader to come
            delivery = make_delivery(1, url=f"http://127.0.0.1:{port}/", body=body)
            answer = await asyncio.wait_for(impatient.send(delivery), PATIENCE)
        (await accepted.get()).transport.abort()
    assert answer.status is None
    assert answer.error is not None
    assert "within 30 s" not in answer.error
