"""A database of any earlier version, with data in it, becomes one of today: both databases."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from dialer.errors import StoreUnavailable
from dialer.histories import CdrQuery
from dialer.states import ItemStatus, QueueStatus
from dialer.store import migrations, open_store
from dialer.store.contract import Candidate
from dialer.store.rows import dump_cdr
from dialer.store.tables import metadata
from tests import store_records as make
from tests.postgres_server import PostgresServer, in_thread

VERSIONS = [f"{number:04}" for number in range(1, int(migrations.HEAD))]
ATTEMPT = replace(
    make.reservation(
        Candidate(
            2, 1, 1, 1, False, "call-2", "982", None, {"n": 2}, 0, 0, 0, None, None, None, 7,
            make.NOW,
        )
    ),
    channel_id="Ended-1",
    cdr_id="cdr-1",
)  # fmt: skip
RECORD = dump_cdr(make.cdr(ATTEMPT, client_channel_id="own", project="p")).replace("'", "''")
AT = 1_750_000_000_250_000

DATA = (
    "INSERT INTO servers (id, code, host, port, username) VALUES (1, 'pbx1', 'h', 5038, 'u')",
    "INSERT INTO clients (id, name, accountcode, username, allocated_channels, status, timezone,"
    f" created_at, updated_at) VALUES (1, 'A', 'acme', 'a', 5, 'active', 'UTC', {AT}, {AT})",
    "INSERT INTO api_keys (id, client_id, lookup, digest, created_at)"
    f" VALUES (1, 1, 'lookup', 'digest', {AT})",
    "INSERT INTO queues (id, client_id, name, status, kind, retry_count, retry_gap, dids,"
    " total_count, pending_count, queued_count, processed_count, created_at, updated_at)"
    f" VALUES (1, 1, 'q', 'in-progress', 'batch', 1, 60, '[\"1001\"]', 3, 1, 1, 1, {AT}, {AT})",
    "INSERT INTO queue_servers VALUES (1, 1)",
    "INSERT INTO items (id, client_id, queue_id, server_id, batch_id, status, call_id, number,"
    " payload, retry, channel_base, created_at, last_cdr_id) VALUES"
    f" (1, 1, 1, 1, 7, 'pending', 'call-1', '981', '{{\"n\": 1}}', 0, 'Wanted', {AT}, NULL),"
    f" (2, 1, 1, 1, 7, 'processed', 'call-2', '982', '{{\"n\": 2}}', 0, NULL, {AT}, 'cdr-1'),"
    f" (3, 1, 1, 1, 7, 'queued', 'call-3', '983', '{{\"n\": 3}}', 0, NULL, {AT}, NULL)",
    "INSERT INTO attempts (id, item_id, client_id, queue_id, server_id, number, channel_id,"
    " action_id, cdr_id, state, opened_at, ended_at) VALUES"
    f" (1, 2, 1, 1, 1, 1, 'Ended-1', 'a-1', 'cdr-1', 'ended', {AT}, {AT}),"
    f" (2, 3, 1, 1, 1, 1, 'Open-1', 'a-2', 'cdr-2', 'open', {AT}, NULL)",
    "INSERT INTO cdrs (id, attempt_id, cdr_id, client_id, queue_id, item_id, server_code, number,"
    " disposition, final, started_at, ended_at, record) VALUES"
    f" (1, 1, 'cdr-1', 1, 1, 2, 'pbx1', '982', 'answered', true, {AT}, {AT}, '{RECORD}')",
    "INSERT INTO deliveries (id, kind, client_id, endpoint, url, method, event_id, body, state,"
    " due_at, created_at, ended_at) VALUES"
    f" (1, 'callback', 1, 'c', 'u', 'POST', 'e', '{{}}', 'pending', {AT}, {AT}, NULL),"
    f" (2, 'sgapi', 1, 'sgapi', 'u', 'PUT', 'f', '{{}}', 'delivered', {AT}, {AT}, {AT})",
    f"INSERT INTO tallies VALUES ('cdr/answered', 1), ('callback/pending', {1})",
)
OF_HISTORIES = (  # written with each CDR since 0008
    f"INSERT INTO cdr_blocks VALUES (1, 1, 1, 1, {AT}, {AT})",
    "INSERT INTO projects VALUES (1, 1, 'p')",
    "UPDATE cdrs SET project = 'p', call_id = 'call', client_channel_id = 'own'",
)
SEQUENCES = ("servers", "clients", "api_keys", "queues", "items", "attempts", "cdrs", "deliveries")


class Old:
    """An empty database without a table."""

    def __init__(self, url: str, execute: Callable[[str], None]) -> None:
        self.url, self.execute = url, execute
        self.config = Config()
        self.config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        self.config.attributes["url"] = make_url(url)

    def upgrade(self, version: str = "head") -> None:
        in_thread(lambda: command.upgrade(self.config, version))

    def downgrade(self, version: str) -> None:
        in_thread(lambda: command.downgrade(self.config, version))

    def fill(self, version: str) -> None:
        for statement in DATA + (OF_HISTORIES if version >= "0008" else ()):
            self.execute(statement)
        if self.url.startswith("postgresql"):
            for table in SEQUENCES:
                self.execute(f"SELECT setval('{table}_id_seq', 100)")


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Old:
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.make_empty()
        database = make_url(url).database or ""
        return Old(url, lambda sql: server.execute(sql, database))

    def execute(sql: str) -> None:
        with closing(sqlite3.connect(tmp_path / "old.db")) as connection, connection:
            connection.execute(sql)

    return Old(make.url_of(tmp_path / "old.db"), execute)


@pytest.mark.parametrize("version", VERSIONS)
async def test_everything_of_an_earlier_version_is_there(
    old: Old, version: str, tmp_path: Path
) -> None:
    old.upgrade(version)
    old.fill(version)
    old.upgrade()
    store = open_store(old.url, tmp_path)
    await store.open()
    snapshot = await store.snapshot()
    (queue,), (client,) = snapshot.queues, snapshot.clients
    assert (queue.status, queue.total_count, queue.dids) == (QueueStatus.IN_PROGRESS, 3, ("1001",))
    assert (client.accountcode, client.may_dial, client.callback_events) == (
        "acme", True, frozenset(),
    )  # fmt: skip
    page = await store.items(1, 0, 10)
    assert [item.payload for item in page.rows] == [{"n": 1}, {"n": 2}, {"n": 3}]
    (attempt,) = await store.open_attempts()
    assert (attempt.channel_id, attempt.unsent) == ("Open-1", False)
    history = await store.cdr_page(CdrQuery(1, projects=frozenset({"p"}), uniqueid=None), 10)
    assert (history.total, history.rows[0].cdr.channel_id) == (1, "Ended-1")
    assert (await store.cdr_page(CdrQuery(1, call_id="call"), 10)).total == 1
    (delivery,) = await store.due_deliveries("c", make.NOW + 1, 0, 10)
    assert delivery.id == 1
    assert (await store.totals()).items[ItemStatus.QUEUED] == 1
    (item,) = await store.waiting(1, 1, 0, 10)
    assert await store.reserve(make.reservation(item, channel_id="new", cdr_id="new"))
    await store.close()


async def test_a_downgrade_leaves_nothing(old: Old) -> None:
    old.upgrade()
    old.downgrade("base")
    assert await asyncio.to_thread(migrations.version, make_url(old.url)) is None
    old.upgrade()
    assert await asyncio.to_thread(migrations.version, make_url(old.url)) == migrations.HEAD


async def test_two_processes_may_upgrade_at_once(old: Old) -> None:
    url = make_url(old.url)
    both = await asyncio.gather(*(asyncio.to_thread(migrations.upgrade, url) for _ in range(2)))
    assert sorted(both) == [False, True]


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    url = make_url("postgresql+asyncpg://nobody@/none?host=/nonexistent")
    with pytest.raises(StoreUnavailable, match="none could not be used"):
        migrations.upgrade(url)


async def test_postgresql_has_the_tables_but_for_its_own_indexes(postgres: PostgresServer) -> None:
    """What migrations 0010 to 0013 made otherwise than `tables` says, and nothing else."""
    engine = create_async_engine(postgres.make_database())

    def compare(connection: Connection) -> set[str]:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        return {f"{kind} {what.name}" for kind, *_, what in found}

    async with engine.connect() as connection:
        assert await connection.run_sync(compare) == DIFFERENT
    await engine.dispose()


DIFFERENT = {
    "remove_table commits",
    "remove_column answered_at",
    *(f"{do}_index {name}" for do in ("add", "remove") for name in (
        "ix_items_disposition", "ix_items_fresh", "ix_items_queue_id", "uq_items_channel_base",
    )),
    "remove_index uq_attempts_channel_id",
    "add_constraint uq_attempts_channel_id",
    *(f"add_fk fk_{table}_{column}" for table, column in (
        ("items", "client_id"), ("items", "server_id"), ("attempts", "client_id"),
        ("attempts", "queue_id"), ("attempts", "server_id"), ("cdrs", "client_id"),
        ("cdrs", "queue_id"), ("cdrs", "item_id"),
    )),
}  # fmt: skip
