"""Receivers of deliveries: a callback URL and a Disposition Gateway, on this machine.

For `dialer demo`, tests and measurements. They keep what arrived, count what arrived twice, and
the gateway answers as its document says (docs/client-api.md).
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from time import time
from typing import Any, Final, Self

from aiohttp import web

from dialer.delivery.timestamps import format_seconds

Body = dict[str, Any]
Script = Callable[[Body], web.Response | None]
"""Looks at a body and may answer in the sink's place; what it answers is not taken."""

TaskScript = Callable[[str, int], Awaitable[web.Response | None]]
"""Answers in the gateway's place when a task is asked for: its uuid, and the how manieth time."""

SYNC_STATUS: Final[Mapping[str, str]] = {
    "pending": "pending",
    "processing": "syncing",
    "retrying": "error",
    "completed": "synced",
    "failed": "error",
}
"""What a task's state says of SGAPI."""

LARGEST_BODY: Final = 1024 * 1024

REQUIRED: Final[Mapping[str, type]] = {
    "uuid": str,
    "caller_id": str,
    "called_number": str,
    "start_time": str,
    "end_time": str,
    "duration": int,
    "disposition": str,
}
OPTIONAL: Final[Mapping[str, type]] = {
    "direction": str,
    "queue_id": str,
    "agent_id": str,
    "recording_url": str,
    "custom_data": dict,
}
DISPOSITIONS: Final = frozenset({"ANSWERED", "NO ANSWER", "BUSY", "FAILED", "CONGESTION"})


class Sink:
    """An HTTP server on 127.0.0.1 and a free port. An async context manager."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script
        self.requests = 0
        self._runner: web.AppRunner | None = None
        self._watchers: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`."""
        if self._runner is None:
            raise RuntimeError("the sink is not open")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def routes(self) -> list[web.RouteDef]:
        """The paths that are served."""
        raise NotImplementedError

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after everything that is taken."""
        self._watchers.append(changed)

    def _notify(self) -> None:
        for changed in self._watchers:
            changed()

    async def _read(self, request: web.Request) -> Body | None:
        self.requests += 1
        try:
            body = json.loads(await request.read())
        except ValueError:
            return None
        return body if isinstance(body, dict) else None


class CallbackSink(Sink):
    """Takes callbacks on every path and keeps them by their event: the cdr_id, or the call_id of a
    closing callback, which has none."""

    def __init__(self, script: Script | None = None) -> None:
        super().__init__(script)
        self.bodies: dict[str, Body] = {}
        self.closings: dict[str, Body] = {}
        self.duplicates: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/{path:.*}", self._take)]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        if body is None:
            return web.json_response({"status": "error"}, status=400)
        scripted = self.script(body) if self.script else None
        if scripted is not None:
            return scripted
        closing = body.get("cdr_id") is None
        kept = self.closings if closing else self.bodies
        event = str(body.get("call_id") if closing else body["cdr_id"])
        if event in kept:
            self.duplicates[event] += 1
        kept[event] = body
        self._notify()
        return web.json_response({"status": "success"})


class SgapiSink(Sink):
    """`PUT /cdrtosgapi[/{entity}]` and `GET /cdrtosgapi/{uuid}` of the Disposition Gateway.
    `token`: what must be presented as Bearer, None: anything goes. CDRs are kept by uuid; a second
    one is 409 and counted. A task is completed when it is asked for, unless `tasks` answers in its
    place; `looks` counts how often each was."""

    def __init__(
        self,
        script: Script | None = None,
        token: str | None = None,
        tasks: TaskScript | None = None,
    ) -> None:
        super().__init__(script)
        self.token = token
        self.tasks = tasks
        self.looks: Counter[str] = Counter()
        self.cdrs: dict[str, Body] = {}
        self.numbers: dict[str, int] = {}
        self.entities: dict[str, str | None] = {}
        self.duplicates: Counter[str] = Counter()
        self.refused: list[tuple[str, Body | None]] = []

    def routes(self) -> list[web.RouteDef]:
        paths = ("/cdrtosgapi", "/cdrtosgapi/{entity}")
        task = web.get("/cdrtosgapi/{uuid}", self._tell, allow_head=False)
        return [*(web.put(path, self._take) for path in paths), task]

    def _refuses(self, request: web.Request) -> web.Response | None:
        if self.token in (None, request.headers.get("Authorization", "").removeprefix("Bearer ")):
            return None
        return _refuse(401, "UNAUTHORIZED", "Missing or invalid authentication token")

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        """What became of a CDR."""
        refusal = self._refuses(request)
        if refusal is not None:
            return refusal
        uuid = request.match_info["uuid"]
        self.looks[uuid] += 1
        scripted = await self.tasks(uuid, self.looks[uuid]) if self.tasks else None
        if scripted is None and uuid not in self.cdrs:
            scripted = _refuse(404, "NOT_FOUND", "No CDR task found with the specified UUID")
        answer = scripted or web.json_response(self.describe_task(uuid))
        self._notify()
        return answer

    def describe_task(self, uuid: str, state: str = "completed", **changes: object) -> Body:
        """The answer for a task in `state`; `changes` go into its data."""
        body = self.cdrs.get(uuid, {})
        number = self.numbers.get(uuid, 0)
        now = format_seconds(time())
        done = state == "completed"
        data: Body = {
            "uuid": uuid,
            "task_id": f"task_{number}",
            "cdr_id": f"cdr_{number}",
            "state": state,
            **{name: body.get(name) for name in ("caller_id", "called_number")},
            **{name: body.get(name) for name in ("disposition", "duration")},
            "sgapi_status": SYNC_STATUS.get(state),
            "sgapi_reference": f"sgapi_ref_{number}" if done else None,
            "created_at": now,
            "updated_at": now,
            "completed_at": now if done else None,
        }
        return {"status": "success", "data": data | changes}

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        refusal = self._refuses(request)
        if refusal is not None:
            return refusal
        scripted = self.script(body) if self.script and body is not None else None
        if scripted is not None:
            return scripted
        fault = find_fault(body)
        if fault is not None or body is None:
            status, code, message = fault or (400, "INVALID_REQUEST", "not JSON")
            self.refused.append((code, body))
            return _refuse(status, code, message)
        uuid = body["uuid"]
        if uuid in self.cdrs:
            self.duplicates[uuid] += 1
            return _refuse(409, "DUPLICATE_CDR", "A CDR with this UUID already exists")
        self.cdrs[uuid] = body
        self.numbers[uuid] = len(self.cdrs)
        self.entities[uuid] = entity = request.match_info.get("entity")
        self._notify()
        return web.json_response(_accept(uuid, entity, len(self.cdrs)))


def find_fault(body: Body | None) -> tuple[int, str, str] | None:
    """Status, code and message with which the gateway refuses a CDR; None when it is right."""
    if body is None:
        return 400, "INVALID_REQUEST", "Request body is malformed"
    for name, kind in REQUIRED.items():
        if not _is_a(body.get(name), kind):
            return 400, "INVALID_REQUEST", f"{name} is missing or of the wrong type"
    for name, kind in OPTIONAL.items():
        if name in body and not _is_a(body[name], kind):
            return 400, "INVALID_REQUEST", f"{name} is of the wrong type"
    start, end = _read_time(body["start_time"]), _read_time(body["end_time"])
    if start is None or end is None:
        return 400, "INVALID_TIMESTAMP", "Start time or end time format is invalid"
    if body["disposition"] not in DISPOSITIONS:
        return 400, "INVALID_DISPOSITION", "The disposition code is not recognized"
    if end < start or body["duration"] < 0:
        return 422, "VALIDATION_ERROR", "the call ends before it starts"
    if body.get("direction", "outbound") not in ("inbound", "outbound"):
        return 422, "VALIDATION_ERROR", "direction is inbound or outbound"
    return None


def _is_a(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _read_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _accept(uuid: str, entity: str | None, number: int) -> Body:
    message = "CDR task created successfully"
    data: Body = {"task_id": f"task_{number}"}
    if entity is not None:
        data["entity"] = entity
        message += f" for entity: {entity}"
    data |= {"uuid": uuid, "cdr_id": f"cdr_{number}", "state": "pending"}
    data |= {"created_at": format_seconds(time()), "message": message}
    return {"status": "success", "data": data}


def _refuse(status: int, code: str, message: str) -> web.Response:
    error = {"code": code, "message": message, "details": None}
    answer = {"status": "error", "error": error, "timestamp": format_seconds(time())}
    return web.json_response(answer, status=status)
