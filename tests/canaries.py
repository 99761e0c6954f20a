"""Values that must be seen nowhere but where they belong, and those who try to make them seen:
receivers and an Asterisk that give back in their errors what they were sent."""

import asyncio
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import web

NUMBERS: Final = {
    "Channel": "989125010100",
    "Data": "989125020200",
    "CallerID": "989125030300",
    "caller_id": "989125040400",
    "number1": "989125050500",
    "number2": "989125060600",
    "contact_number": "989125070700",
    "dids": "989125080800",
    "did": "989125090900",
    "ChannelId": "989125111100",
    "phone_number": "989125121200",
    "refused": "989125131300",
    "forbidden": "989125141400",
    "body": "989125151500",
    "path": "989125161600",
    "greeting": "989125171700",
    "surprise": "989125181800",
    "crash": "989125191900",
    "task": "989125212100",
}
"""A number for each place where one may stand."""

SUPERUSER: Final = "canary-superuser-7f3a"
AMI_SECRET: Final = (
    "canary ami/secret-51c9"  # with a blank and a slash: it is echoed in many dresses
)
WRONG_SECRET: Final = "canary-wrong-secret-d204"
SGAPI_TOKEN: Final = "canary/sgapi+token-8e61"
URL_TOKEN: Final = "canary-url-token-2b77"
PATH_TOKEN: Final = "T0CANARY8d1f5a3e9c77"
IDEMPOTENCY_KEY: Final = "canary-idempotency-key-93aa"
FORGED_KEY: Final = "dk_CANARY00_forged00forged00forged00forged00_000000"

_BETWEEN: Final = re.compile(r"[\s()+.*#/-]")


@dataclass(frozen=True, slots=True)
class Canaries:
    """`keys`: the API keys that the run was given."""

    keys: tuple[str, ...]

    @property
    def stored_nowhere(self) -> tuple[str, ...]:
        """What is in no table, in no form."""
        return (*self.keys, SUPERUSER, AMI_SECRET, WRONG_SECRET, SGAPI_TOKEN, FORGED_KEY)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.stored_nowhere, URL_TOKEN, PATH_TOKEN, IDEMPOTENCY_KEY)

    def find(self, text: str) -> list[str]:
        """The canaries in `text`: secrets, and numbers with more than their last four digits,
        whatever stands between these."""
        found = [secret for secret in self.secrets if secret in text]
        bare = _BETWEEN.sub("", text)
        return found + [name for name, number in NUMBERS.items() if number[:-4] in bare]


def make_item(server: str, **action: Any) -> dict[str, Any]:
    """A call with numbers wherever one can stand; `action` replaces fields of its action."""
    return {
        "asterisk_server_code": server,
        "caller_id": f'"+98 (912) 504-0400" <{NUMBERS["caller_id"]}>',
        "contact_number": int(NUMBERS["contact_number"]),
        "action": {
            "Action": "Originate",
            "Channel": f"PJSIP/{NUMBERS['Channel']}@carrier",
            "ChannelId": f"call-{NUMBERS['ChannelId']}-{len(action)}",
            "CallerID": NUMBERS["CallerID"],
            "Application": "Dial",
            "Data": f"PJSIP/{NUMBERS['Data']}@carrier,5",
            **action,
        },
    }


def dump_texts(database: Path, table: str, column: str) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"SELECT {column} FROM {table}").fetchall()
    return [str(row[0]) for row in rows if row[0] is not None]


def dump_all(database: Path) -> str:
    """Every row of every table, and the files byte by byte, deleted rows included."""
    with closing(sqlite3.connect(database)) as connection:
        rows = "\n".join(connection.iterdump())
    files = [path.read_bytes() for path in sorted(database.parent.glob(f"{database.name}*"))]
    return rows + b"".join(files).decode("latin-1")


class Parrots:
    """Receivers on one port that answer each path in a way of its own, and say what they got. An
    async context manager."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        await self._runner.cleanup()

    def url(self, manner: str) -> str:
        return f"{self.origin}/{manner}/{PATH_TOKEN}?token={URL_TOKEN}&n={NUMBERS['path']}"

    async def until_asked(self, manners: Iterable[str]) -> None:
        while not set(manners) <= self.asked.keys():
            self.changed.clear()
            await self.changed.wait()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        manner = request.path.split("/")[1]
        echo = f"{request.method} {request.url} {dict(request.headers)} {await request.text()}"
        self.asked[manner] = self.asked.get(manner, 0) + 1
        self.changed.set()
        if manner == "cdrtosgapi":
            return web.Response(status=401, text=echo)
        if manner == "moved":
            return web.Response(status=302, headers={"Location": str(request.url)}, text=echo)
        if manner == "garbled":
            assert request.transport is not None
            request.transport.write(f"{echo.splitlines()[0]}\r\n\r\n".encode())
            request.transport.close()
        return web.Response(status={"gone": 410, "broken": 500}.get(manner, 503), text=echo)


class ParrotAsterisk:
    """An AMI that lets nobody in, with the secret in its error, or that lets the caller in and
    refuses each Originate with all that was in it; after a while it speaks no AMI any more."""

    def __init__(self, welcoming: bool) -> None:
        self._welcoming = welcoming
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"Asterisk Call Manager/{NUMBERS['greeting']}\r\n".encode())
        try:
            while block := await reader.readuntil(b"\r\n\r\n"):
                writer.write(self._reply(block.decode()))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _reply(self, block: str) -> bytes:
        fields: dict[str, Any] = dict(
            line.split(": ", 1) for line in block.split("\r\n") if ": " in line
        )
        head = f"ActionID: {fields['ActionID']}\r\n"
        refused = fields["Action"] == "Originate" or not self._welcoming
        if refused:
            said = " ".join(f"{name}: {value}" for name, value in fields.items())
            return f"Response: Error\r\n{head}Message: {said}\r\n\r\n".encode()
        booted = "Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n"
        return f"Response: Success\r\n{head}Message: {block!r}\r\n\r\n{booted}".encode()
