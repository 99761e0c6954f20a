"""Two tenants, every route: with its own key and the other's names a client sees nothing of the
other's and changes nothing.

Made from the OpenAPI description: each operation is called with every parameter and every field of
its body that can point at another client's things pointing there, alone and all at once. A new
route is tested by itself; one with a parameter that nothing is known about fails and says so.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from dialer.dialects.ozonetel import number_call
from dialer.php_query import hash_params
from tests.acceptance.plant import Plant
from tests.patience import PATIENCE

CANARY: Final = "zinnober"
"""Stands in every text that belongs to the other tenant."""
NUMBER: Final = "100077"  # answered, by the simulator's table; nobody else dials it
CALLER_ID: Final = "Zinnober <5550177>"
BATCH_ID: Final = 770077
ONCE: Final = f"{CANARY}-once"

UUID: Final = "77007700-7700-4770-8770-770077007700"
NAMING: Final = {
    *("accountcode", "client_code", "queue_id", "master_queue_id", "cdr_id"),
    "entity_or_uuid",
}
"""What names a client or a thing of a client's: of another's it is 404."""
GATEWAY_PUT: Final = "PUT /cdrtosgapi"
"""Of these operations a queue_id is another telephony system's, and what the path names SGAPI's."""
REFUSED: Final = {"userName": 401, "campaignName": 400}
"""Fields that name another's things and are refused otherwise."""
PLAIN: Final = {
    "page": 1,
    "page_size": 1000,
    "queue_status": None,
    "call_status": None,
    "disposition": None,
    **dict.fromkeys(("start_date", "end_date", "duration", "extension", "direction")),
    **dict.fromkeys(("application", "limit", "offset", "mapping", "pageNo", "pageSize")),
    **dict.fromkeys(("filters[date_between][0]", "filters[date_between][1]", "api_hash")),
}
"""Parameters that point at nobody's things, with a value; None leaves one away."""
OWN_FIELDS: Final = {
    *("name", "username", "did", "phone_number", "allocated_channels", "callbackurl"),
    *("is_superuser", "rate_limit", "is_active", "status", "dids", "data", "action"),
    *("asterisk_server_code", "number1", "number2", "customer_name", "prefix", "endpoint"),
    *("caller_id", "create_recording", "recording_format", "recording_path", "project"),
    *("mix_monitor_command", "call_timeout", "contact_number", "deadline"),
    *("queue_status", "retry", "retry_count", "retry_gap"),
    *("api_key", "fromDate", "toDate", "callType", "api_hash", "page"),
    *("callback_shape", "callback_events", "cdr_mapping"),
    *("called_number", "start_time", "end_time", "duration", "disposition", "direction"),
    *("agent_id", "recording_url", "custom_data", "grace_hours"),
}
"""Fields of bodies that point at nobody's things."""

UNKNOWN: Final = (
    "{label}: nothing is known about {name!r}. If it can point at a client's things, give Other a"
    " value for it (and put it into NAMING if that must be 404); if not, put it into {table}."
)

Row = tuple[Any, ...]
Choice = dict[str, dict[str, Any]]
"""Values by place: path, query, header, body."""


@dataclass(slots=True)
class Other:
    """The tenant that is to be left alone: its things by the names of parameters, and what must
    not be seen of it."""

    things: dict[str, Any]
    secrets: list[str]
    rows: dict[str, set[Row]]


@dataclass(slots=True)
class Operation:
    """One operation of the description, with what it takes."""

    method: str
    path: str
    parameters: list[dict[str, Any]]
    body: dict[str, Any] | None = None
    fields: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

    def places(self) -> list[tuple[str, str, bool]]:
        """(place, name, whether required) of everything it takes."""
        told = [(told["in"], told["name"], told["required"]) for told in self.parameters]
        return told + [("body", name, False) for name in self.fields]


def read_operations(description: dict[str, Any]) -> list[Operation]:
    """Every operation of an OpenAPI description; its first example is its body."""
    found = []
    for path, methods in description["paths"].items():
        for method, told in methods.items():
            operation = Operation(method.upper(), path, told.get("parameters", []))
            if "requestBody" in told:
                content = told["requestBody"]["content"]["application/json"]
                operation.body = next(iter(content["examples"].values()))["value"]
                name = content["schema"]["$ref"].rpartition("/")[2]
                operation.fields = list(description["components"]["schemas"][name]["properties"])
            found.append(operation)
    return found


def find_unknown(operation: Operation, things: Mapping[str, Any]) -> list[str]:
    """What this test does not know how to fill, each with what to do about it."""
    return [
        UNKNOWN.format(
            label=operation.label, name=name, table="OWN_FIELDS" if place == "body" else "PLAIN"
        )
        for place, name, _ in operation.places()
        if name not in things and name not in (OWN_FIELDS if place == "body" else PLAIN)
    ]


def choose(operation: Operation, things: Mapping[str, Any]) -> Iterator[Choice]:
    """The calls to make: nothing of the other's but what is required, each thing alone, all."""
    pointing = [place for place in operation.places() if place[1] in things]
    if operation.label.startswith(GATEWAY_PUT):
        pointing = [place for place in pointing if place[1] != "queue_id"]
    required = [place for place in pointing if place[2]]
    groups = [required, *([*required, place] for place in pointing if place not in required)]
    for group in [*groups, pointing]:
        choice: Choice = {"path": {}, "query": {}, "header": {}, "body": {}}
        for place, name, _ in operation.places():
            if place == "query" and PLAIN.get(name) is not None:
                choice[place][name] = PLAIN[name]
        for place, name, _ in group:
            choice[place][name] = things[name]
        yield choice


def present(operation: Operation, username: str, key: str) -> dict[str, Any]:
    """What of a body tells who calls, and a day that may be asked for."""
    if operation.path.startswith("/ca_"):
        day = datetime.now(UTC).date()
        return {
            "fromDate": f"{day} 00:00:00",
            "toDate": f"{day} 23:59:59",
            "userName": username,
        }
    return {"api_key": key} if operation.path == "/v2/auth/token" else {}


def expect(operation: Operation, choice: Choice) -> set[int]:
    """The statuses that a call may be answered with."""
    refused = [REFUSED[name] for name in REFUSED if name in choice["body"]]
    if refused:
        return {refused[0]}
    if names_another(operation, choice):
        return {403, 404}
    return {403} if operation.path.endswith("/clients/") else {200}


def names_another(operation: Operation, choice: Choice) -> bool:
    named = {name for values in choice.values() for name in values if name in NAMING}
    return bool(named - ({"entity_or_uuid"} if operation.label.startswith(GATEWAY_PUT) else set()))


@dataclass(slots=True)
class Stage:
    """The product with both tenants."""

    plant: Plant
    other: Other
    description: dict[str, Any]
    calls: int = 0

    async def call(self, operation: Operation, choice: Choice) -> httpx.Response:
        """Make one call as a client of its own: the ones before it leave no trace in it."""
        request: dict[str, Any] = {}
        self.calls += 1
        name = f"attacker{self.calls}"
        key = await self.plant.add_client(name)
        headers = choice["header"] | {"Authorization": f"Bearer {key}"}
        if operation.body is not None:
            own = present(operation, name, key)
            request["json"] = {**operation.body, **own, **choice["body"]}
        if operation.path.startswith("/ca_"):
            headers = choice["header"] | {"apiKey": key}
        if operation.path == "/api/cdr":
            params = request["json"] if "json" in request else choice["query"]
            params["api_hash"] = hash_params(
                {name: value for name, value in params.items() if name != "api_hash"}, key
            )
        async with httpx.AsyncClient(base_url=self.origin, timeout=PATIENCE) as http:
            return await http.request(
                operation.method,
                operation.path.format(**choice["path"]),
                params=choice["query"],
                headers=headers,
                **request,
            )

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.plant.product.http_port}"

    def read_rows(self) -> dict[str, set[Row]]:
        """Everything in the database that is the other's."""
        return read_rows(self.plant.folder / "dialer.db", "other")


def read_rows(file: Path, accountcode: str) -> dict[str, set[Row]]:
    """The rows of one client, by table."""
    found: dict[str, set[Row]] = {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        query = "SELECT id FROM clients WHERE accountcode = ?"
        (client_id,) = connection.execute(query, (accountcode,)).fetchone()
        tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (table,) in connection.execute(tables).fetchall():
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            column = "id" if table == "clients" else "client_id"
            if column in names:
                rows = connection.execute(f"SELECT * FROM {table} WHERE {column} = ?", (client_id,))
                found[table] = set(rows)
    return found


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    # Without a gateway: its tasks are followed for seconds, which changes rows by itself.
    async with Plant(tmp_path, settings={"sgapi_url": None}) as plant:
        await plant.add_server("server1", plant.simulator.port)
        other = await set_up_other(plant)
        async with plant.http() as http:
            url = f"http://127.0.0.1:{plant.product.http_port}/openapi.json"
            description = (await http.get(url)).json()
        yield Stage(plant, other, description)


async def settle(file: Path) -> None:
    """Wait until every result of the other's is delivered."""
    async with asyncio.timeout(PATIENCE):
        while any("pending" in row for row in read_rows(file, "other")["deliveries"]):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def set_up_other(plant: Plant) -> Other:
    """A tenant with calls that ended, calls that wait, a quick call, and answers kept."""
    key = await plant.add_client("other", name=f"{CANARY} Ltd", username=f"{CANARY}-user")
    item: dict[str, Any] = {
        "project": f"{CANARY}-project",
        "caller_id": CALLER_ID,
        "call_timeout": 1,
    }
    action = {"ActionID": f"{CANARY}-call", "Variable": f"NOTE={CANARY}"}
    queue_id = await plant.post(
        key, [NUMBER], batch_id=BATCH_ID, dids=["5550178"], item=item, action=action
    )
    quick_call = {
        "asterisk_server_code": "pbx1",
        "number1": NUMBER,
        "endpoint": "carrier",
        "customer_name": f"{CANARY} Jones",
        "action": {"Application": "Wait", "Data": "1"},
    }
    async with plant.http(key) as http:
        once = {"Idempotency-Key": ONCE}
        answer = await http.post("/queues/insertquickcall/", json=quick_call, headers=once)
        assert answer.status_code == 200, answer.text
        await plant.until(lambda: len(plant.finals()) == 2)
        await plant.product.store.change_client("other", {"paused": True}, time.time())
        plant.product.signals.clients_changed()
        batch = {"batch_id": BATCH_ID + 1, "data": [{**item, **waiting_item()}]}
        once = {"Idempotency-Key": f"{ONCE}-batch"}
        answer = await http.post("/queues/insertdataincallqueue/", json=batch, headers=once)
        assert answer.status_code == 200, answer.text
        url = f"http://127.0.0.1:{plant.product.http_port}/cdrtosgapi/{CANARY}"
        put = await http.put(url, json=foreign_cdr())
        assert put.status_code == 200, put.text
    waiting = answer.json()["data"]["queue_id"]
    file = plant.folder / "dialer.db"
    await settle(file)
    rows = read_rows(file, "other")
    things = {
        "accountcode": "other",
        "client_code": "other",
        "queue_id": waiting,
        "master_queue_id": queue_id,
        "batch_id": BATCH_ID,
        "call_id": f"{CANARY}-call",
        "phone_number": NUMBER,
        "Idempotency-Key": ONCE,
        "X-Idempotency-Key": f"{ONCE}-batch",
        "uuid": UUID,
        "entity_or_uuid": UUID,
        "phone": NUMBER,
        "userName": f"{CANARY}-user",
        "campaignName": f"{CANARY}-project",
        "filters": {"telephone": NUMBER, "external_id": f"{CANARY}-call"},
    }
    cdr_ids = [str(body["cdr_id"]) for body in plant.callbacks.bodies.values()]
    things["cdr_id"] = cdr_ids[0]
    things["ucid"] = things["monitorUCID"] = number_call(1)
    return Other(things, [CANARY, NUMBER, "5550177", "5550178", key, *cdr_ids], rows)


def foreign_cdr() -> dict[str, Any]:
    """A CDR of another telephony system's, of the other tenant."""
    return {
        "uuid": UUID,
        "caller_id": CALLER_ID,
        "called_number": NUMBER,
        "start_time": "2024-01-15T10:30:00Z",
        "end_time": "2024-01-15T10:30:10Z",
        "duration": 10,
        "disposition": "ANSWERED",
        "queue_id": f"{CANARY}-queue",
        "custom_data": {"note": CANARY},
    }


def waiting_item() -> dict[str, Any]:
    action = {"Action": "Originate", "Channel": f"PJSIP/{NUMBER}@carrier"}
    return {"asterisk_server_code": "pbx1", "action": action}


async def test_no_route_shows_or_changes_what_is_anothers(stage: Stage) -> None:
    operations = read_operations(stage.description)
    assert len(operations) >= 12
    things = stage.other.things
    unknown = [line for operation in operations for line in find_unknown(operation, things)]
    assert not unknown, "\n".join(unknown)
    done = 0
    for operation in operations:
        responses = stage.description["paths"][operation.path][operation.method.lower()]
        for choice in choose(operation, things):
            answer = await stage.call(operation, choice)
            label = f"{operation.label} with {choice}: {answer.status_code} {answer.text}"
            assert str(answer.status_code) in responses["responses"], label
            assert answer.status_code in expect(operation, choice), label
            told = answer.text.lower() + json.dumps(dict(answer.headers)).lower()
            assert not [secret for secret in stage.other.secrets if secret.lower() in told], label
            assert stage.read_rows() == stage.other.rows, label
            done += 1
    assert done > 3 * len(operations)


async def test_the_canaries_are_there_to_be_seen(stage: Stage) -> None:
    """By a superuser who acts for the other tenant, through the same routes."""
    seen = ""
    async with stage.plant.http() as http:
        for path in (
            "/queues/getmasterqueues/?accountcode=other",
            f"/queues/getqueues/?accountcode=other&master_queue_id="
            f"{stage.other.things['master_queue_id']}",
        ):
            seen += (await http.get(path)).text
        assert CANARY in seen
        assert NUMBER in seen
        url = f"http://127.0.0.1:{stage.plant.product.http_port}/cdrtosgapi/{UUID}"
        assert NUMBER in (await http.get(f"{url}?accountcode=other")).text
        answer = await http.get("/queues/flushqueue/?client_code=other")
        assert answer.json()["data"] == {"flushed_count": 1}
    assert stage.read_rows() != stage.other.rows
    assert {table for table, rows in stage.other.rows.items() if rows} >= {
        *("clients", "api_keys", "queues", "batches", "items", "attempts", "cdrs", "deliveries"),
        *("idempotency_answers", "foreign_cdrs"),
    }


def test_a_parameter_that_nothing_is_known_about_is_named() -> None:
    description = {
        "paths": {
            "/calls/{call_number}": {
                "delete": {
                    "parameters": [{"name": "call_number", "in": "path", "required": True}],
                }
            }
        }
    }
    (operation,) = read_operations(description)
    (line,) = find_unknown(operation, {"queue_id": 1})
    assert "DELETE /calls/{call_number}" in line
    assert "'call_number'" in line
