"""A run in which everything goes wrong that can, with values that must never be said: no log line,
no answer to operators, no record for them carries a secret or a full phone number."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from ami.simulator import AmiUser, Simulator, SimulatorConfig
from dialer import cli
from dialer.php_query import hash_params
from dialer.policy import DEFAULT_POLICY
from dialer.settings import LogFormat
from dialer.store.contract import Server
from dialer.store.sqlite import SqliteStore
from dialer.telemetry import QUIET, configure_logging, report_crash
from tests.acceptance.plant import Plant
from tests.canaries import (
    AMI_SECRET,
    FORGED_KEY,
    IDEMPOTENCY_KEY,
    NUMBERS,
    SGAPI_TOKEN,
    SUPERUSER,
    URL_TOKEN,
    WRONG_SECRET,
    Canaries,
    ParrotAsterisk,
    Parrots,
    dump_all,
    dump_texts,
    make_item,
)
from tests.patience import PATIENCE

INSERT = "/queues/insertdataincallqueue/"
LOUD = set(QUIET) - {"aiosqlite"}
"""Of that one, the debug level is every statement with all of its values."""

SAID = (
    "AMI link",  # a login refused, with the secret in the error
    "store unavailable",
    "a delivery is dead",
    "our credentials are refused",
    "Exception in ASGI application",
    "a task nobody waits for",
    "the command failed",
    "Invalid HTTP request received.",
)
"""What must have been said, or the run would prove nothing."""


class Run:
    """The product among those who give its secrets back."""

    def __init__(self, plant: Plant, parrots: Parrots) -> None:
        self.plant, self.parrots = plant, parrots
        self.keys: list[str] = []
        self.tokens: list[str] = []
        self.answers: list[str] = []

    @property
    def database(self) -> Path:
        return self.plant.folder / "dialer.db"

    @property
    def canaries(self) -> Canaries:
        return Canaries((*self.keys, *self.tokens))

    async def add_client(self, name: str, callback: str) -> str:
        async with self.plant.http(SUPERUSER) as http:
            answer = await http.post(
                "/clients/",
                json={
                    "name": name,
                    "accountcode": name,
                    "username": name,
                    "allocated_channels": 10,
                    "callbackurl": callback,
                    "did": NUMBERS["did"],
                    "phone_number": NUMBERS["phone_number"],
                },
                headers={"Idempotency-Key": f"{IDEMPOTENCY_KEY}-{name}"},
            )
        assert answer.status_code == 200, answer.text
        key: str = answer.json()["api_key"]
        self.keys.append(key)
        return key

    async def post(self, key: str, body: object, path: str = INSERT, status: int = 200) -> None:
        async with self.plant.http(key) as http:
            headers = {"X-Idempotency-Key": f"{IDEMPOTENCY_KEY}-{len(self.answers)}"}
            answer = await http.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        self.answers.append(answer.text)

    async def until_stored(self, table: str, column: str, count: int, text: str = "") -> None:
        """Wait until so many rows have `text` in the column. Looked for on disk: nobody tells."""

        def stored() -> int:
            return sum(text in found for found in dump_texts(self.database, table, column))

        async with asyncio.timeout(PATIENCE):
            while stored() < count:  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def command(self, *words: str) -> None:
        await asyncio.to_thread(cli.main, list(words))


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    monkeypatch.setenv("CANARY_SECRET", AMI_SECRET)
    monkeypatch.setenv("CANARY_WRONG", WRONG_SECRET)
    monkeypatch.setenv("DIALER_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/dialer.db")
    users = (AmiUser(secret=AMI_SECRET),)
    simulator = Simulator(SimulatorConfig(users=users, scale=0.05, login_delay=0.0))
    await simulator.start()
    async with (
        Parrots() as parrots,
        ParrotAsterisk(welcoming=False) as closed,
        ParrotAsterisk(welcoming=True) as refusing,
    ):
        plant = Plant(
            tmp_path,
            settings={
                "superuser_api_key": SUPERUSER,
                "sgapi_url": parrots.origin,
                "sgapi_token": SGAPI_TOKEN,
            },
        )
        async with plant:
            for code, port, secret_env in (
                ("good", simulator.port, "CANARY_SECRET"),
                ("wrong", simulator.port, "CANARY_WRONG"),
                ("closed", closed.port, "CANARY_SECRET"),
                ("refusing", refusing.port, "CANARY_SECRET"),
            ):
                server = Server(0, code, "127.0.0.1", port, "dialer", secret_env=secret_env)
                await plant.product.store.add_server(server, time.time())
            plant.product.signals.clients_changed()
            yield Run(plant, parrots)
            # The product was broken on purpose; the plant's own end finds it stopped.
            await restart(plant)
    await simulator.stop()


async def restart(plant: Plant) -> None:
    with contextlib.suppress(ExceptionGroup):
        await plant.product.stop(0.0)
    await plant.start_product()


async def call_everywhere(run: Run) -> None:
    """Calls whose records go to receivers that answer in every bad way there is."""
    manners = ("gone", "broken", "moved", "garbled", "paused")
    for number, manner in enumerate(manners):
        key = await run.add_client(manner, run.parrots.url(manner))
        body = {"batch_id": number, "dids": [NUMBERS["dids"]], "data": [make_item("good")]}
        await run.post(key, body)
    dead = await run.add_client("dead", f"http://127.0.0.1:1/x?token={URL_TOKEN}")
    await run.post(dead, {"batch_id": 1, "data": [make_item("good")]})
    item = make_item("refusing", Channel=f"PJSIP/{NUMBERS['refused']}@carrier")
    await run.post(dead, {"batch_id": 2, "data": [item]})
    quick = {
        "asterisk_server_code": "good",
        "number1": NUMBERS["number1"],
        "number2": NUMBERS["number2"],
        "customer_name": "Nobody",
        "endpoint": "carrier",
        "action": {"Application": "Dial"},
    }
    await run.post(dead, quick, "/queues/insertquickcall/")
    async with asyncio.timeout(PATIENCE):
        await run.parrots.until_asked((*manners, "cdrtosgapi"))
    await run.until_stored("cdrs", "id", len(manners) + 3)
    await run.until_stored("deliveries", "error", len(manners) + 3)


async def forbid_what_waits(run: Run) -> None:
    """A refusal at dial time: the policy changed while the item waited."""
    store, signals = run.plant.product.store, run.plant.product.signals
    key = await run.add_client("late", run.parrots.url("gone"))
    await store.change_client("late", {"paused": True}, time.time())
    signals.clients_changed()
    item = make_item("good", Channel=f"PJSIP/{NUMBERS['forbidden']}@carrier")
    await run.post(key, {"batch_id": 1, "data": [item]})
    policy = replace(DEFAULT_POLICY, endpoints=frozenset({"nowhere"}))
    known = len(dump_texts(run.database, "cdrs", "id"))
    await store.change_client("late", {"paused": False, "policy": policy}, time.time())
    signals.clients_changed()
    await run.until_stored("cdrs", "id", known + 1)


async def forbid_addresses(run: Run) -> None:
    """The same receivers, of a product that lets callbacks go to public addresses only."""
    run.plant.settings["callback_allow_private"] = False
    await restart(run.plant)
    await run.post(run.keys[0], {"batch_id": 50, "data": [make_item("good")]})
    await run.until_stored("deliveries", "error", 1, "forbidden address (127.0.0.1: loopback)")


async def send_nonsense(run: Run) -> None:
    """Bodies, keys and bytes that are wrong."""
    number = NUMBERS["body"]
    key = run.keys[0]
    async with run.plant.http(key) as http:
        for content in (f'{{"data": {number}', f'"{number}"', f'{{"batch_id": "{number}x"}}'):
            answer = await http.post(INSERT, content=content)
            assert answer.status_code == 400
        assert (await http.post(f"/queues/{NUMBERS['path']}?key={URL_TOKEN}")).status_code == 404
        headers = {"Idempotency-Key": f"{IDEMPOTENCY_KEY} with blanks"}
        assert (await http.post(INSERT, json={}, headers=headers)).status_code == 400
    await run.post(FORGED_KEY, {}, status=401)
    await run.post(f"{SUPERUSER}x", {}, status=401)
    await run.post(key, {"batch_id": 9, "data": [make_item("good", Channel=number)]}, status=400)
    reader, writer = await asyncio.open_connection("127.0.0.1", run.plant.product.http_port)
    writer.write(f"{number} {URL_TOKEN}\r\n\r\n".encode())
    await reader.read()
    writer.close()


async def fail_inside(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full; a route has a bug; a task fails that nobody waits for."""
    store = run.plant.product.store
    assert isinstance(store, SqliteStore)
    await set_pragma(store, "max_page_count = 1")
    items = [make_item("good") for _ in range(500)]
    await run.post(run.keys[0], {"batch_id": 77, "data": items}, status=503)
    await set_pragma(store, "max_page_count = 1000000")
    said = f"{NUMBERS['surprise']} {run.keys[0]} {AMI_SECRET}"

    async def fail(*_: object) -> None:
        raise RuntimeError(said)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "queues", fail)
        async with run.plant.http(run.keys[0]) as http:
            answer = await http.get("/queues/getmasterqueues/")
    assert answer.status_code == 500
    run.answers.append(answer.text)
    asyncio.get_running_loop().call_exception_handler(
        {"message": "a task nobody waits for", "exception": ValueError(said), "future": said}
    )
    lost = asyncio.create_task(fail(), name=NUMBERS["task"])
    await asyncio.wait([lost])
    del lost
    gc.collect()


async def fail_reading(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """CDRs are asked for with every kind of credential, and the store says them all."""
    key, number = run.keys[0], NUMBERS["surprise"]
    origin = f"http://127.0.0.1:{run.plant.product.http_port}"
    async with httpx.AsyncClient(base_url=origin, timeout=PATIENCE) as http:
        token = (await http.post("/v2/auth/token", json={"api_key": key})).json()["token"]
        hashed = hash_params({"page": "1"}, key)
        run.tokens += [token, hashed]

        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError(f"api_hash={hashed} Bearer {token} apiKey: {key} {token} {number}")

        monkeypatch.setattr(SqliteStore, "cdr_page", fail)
        for path, credential in (
            (f"/v2/cdr?phone={number}", token),
            (f"/api/cdr?page=1&api_hash={hashed}", key),
            (f"/v2/cdr/{number}", key),
        ):
            headers = {"Authorization": f"Bearer {credential}", "apiKey": key}
            answer = await http.get(path, headers=headers)
            assert answer.status_code == 500
            run.answers.append(answer.text)
        for body in ({"userName": number}, {"userName": token}, {}):
            answer = await http.request(
                "GET", "/ca_reports/fetchCDRDetails", headers={"apiKey": key}, json=body
            )
            assert answer.status_code == 401
            run.answers.append(answer.text)


async def set_pragma(store: SqliteStore, pragma: str) -> None:
    def act(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA {pragma}")

    await store._writer.run(act)


async def ask_as_operator(run: Run, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that tells operators how it goes, and what was logged until then."""
    async with run.plant.http() as http:
        for path in ("/healthz", "/readyz"):
            run.answers.append(
                (await http.get(f"http://127.0.0.1:{run.plant.product.http_port}{path}")).text
            )
    for words in (
        *(("status",), ("db", "upgrade"), ("servers", "list"), ("audit",)),
        *(("servers", "check", code) for code in ("good", "wrong", "closed")),
        ("pause", "--client", "late"),
        ("nonsense", run.keys[0], f"--api-key={run.keys[0]}"),
        ("servers", "add", run.keys[0], "--host", "h"),
    ):
        await run.command(*words)
    printed = capsys.readouterr()
    return printed.out + printed.err


@pytest.mark.parametrize("log_format", list(LogFormat))
async def test_nothing_that_is_said_carries_a_secret_or_a_number(
    run: Run,
    log_format: LogFormat,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure_logging(log_format, logging.DEBUG)  # more than any operator can ask for
    for name in LOUD:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    await call_everywhere(run)
    await forbid_what_waits(run)
    await forbid_addresses(run)
    await send_nonsense(run)
    await fail_inside(run, monkeypatch)
    await fail_reading(run, monkeypatch)
    said = await ask_as_operator(run, capsys)
    said += await break_down(run, capsys)
    assert [event for event in SAID if event not in said] == []
    by_line = {found: line for line in said.splitlines() for found in run.canaries.find(line)}
    assert by_line == {}
    assert said.count("***") > 30
    # Answers to clients may hold their own words; no secrets, but for a key that was just made.
    secrets = run.canaries.secrets
    assert [s for s in secrets for answer in run.answers if s in answer] == []
    check_records(run)


async def break_down(run: Run, capsys: pytest.CaptureFixture[str]) -> str:
    """A part fails: what the command says as it ends."""
    said = f"{NUMBERS['crash']} {SGAPI_TOKEN} {SUPERUSER}"
    running = run.plant.product._running
    assert running is not None
    run.plant.product.engine.worker.break_down(RuntimeError(said))
    await asyncio.wait([running])
    error = running.exception()
    assert error is not None
    report_crash(error)
    return capsys.readouterr().err


def check_records(run: Run) -> None:
    """What is kept for operators has no token, and what is stored at all has no secret."""
    canaries = run.canaries
    errors = dump_texts(run.database, "deliveries", "error")
    assert len(errors) >= 8
    assert [e for e in errors for secret in canaries.secrets if secret in e] == []
    audit = dump_texts(run.database, "audit", "details")
    assert len(audit) >= len(run.keys)
    for text in (*audit, *dump_texts(run.database, "runtime", "value")):
        assert canaries.find(text) == []
    everything = dump_all(run.database)
    assert NUMBERS["Channel"] in everything  # the dump does see
    assert [secret for secret in canaries.stored_nowhere if secret in everything] == []


@pytest.mark.parametrize("words", [(), *((name,) for name in cli.MODULES)], ids=" ".join)
def test_help_shows_no_secret_of_the_environment(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "SUPERUSER_API_KEY", "SGAPI_TOKEN", "DATABASE_URL", "LOG_FORMAT"):
        monkeypatch.setenv(f"DIALER_{name}", SUPERUSER)
    subcommands = [[], ["add"], ["set"], ["check"], ["rotate-key"], ["upgrade"]]
    for more in subcommands if words and words[0] in cli.GROUPS else [[]]:
        cli.main([*words, *more, "--help"])
    printed = capsys.readouterr()
    assert "Usage" in printed.out
    assert SUPERUSER not in printed.out + printed.err


def test_a_wrong_setting_is_not_repeated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "HTTP_PORT", "LOG_FORMAT", "SGAPI_URL"):
        with monkeypatch.context() as patch:
            patch.setenv(f"DIALER_{name}", f"x://user:{SGAPI_TOKEN}@host/{NUMBERS['path']}")
            assert cli.main(["run"]) == 2
        said = capsys.readouterr().err
        assert f"DIALER_{name}" in said
        assert Canaries(()).find(said) == []
