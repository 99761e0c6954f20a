"""What others say is heard, what oneself says is not, and a lost session is replaced."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from dialer.errors import StoreUnavailable
from dialer.store import listening
from dialer.store.access import Topic
from dialer.store.listening import Listener
from tests.crew import until
from tests.patience import PATIENCE
from tests.postgres_server import PostgresServer, run_postgres


class Ear:
    def __init__(self, url: str) -> None:
        self.heard: asyncio.Queue[frozenset[Topic]] = asyncio.Queue()
        self.listener = Listener(url, self.heard.put_nowait)

    async def next(self) -> frozenset[Topic]:
        async with asyncio.timeout(PATIENCE):
            return await self.heard.get()


@pytest.fixture
async def ears(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Ear, Ear]]:
    monkeypatch.setattr(listening, "LOOK_EVERY", 0.01)
    url = postgres.make_database().replace("+asyncpg", "")
    one, other = Ear(url), Ear(url)
    await one.listener.open()
    await other.listener.open()
    yield one, other
    await one.listener.close()
    await other.listener.close()


async def claimed(ear: Ear) -> bool:
    await ear.listener._look()
    return ear.listener.is_claimed


async def say(ear: Ear, topic: Topic) -> None:
    connection = await asyncpg.connect(ear.listener._url)
    await connection.execute(ear.listener.statement(topic))
    await connection.close()


async def test_others_hear_and_oneself_does_not(ears: tuple[Ear, Ear]) -> None:
    one, other = ears
    await say(one, Topic.CHANGES)
    assert await other.next() == {Topic.CHANGES}
    one.listener.say(Topic.DELIVERIES)
    assert await other.next() == {Topic.DELIVERIES}
    await say(other, Topic.CHANGES)
    assert await one.next() == {Topic.CHANGES}
    assert one.heard.empty()


async def test_words_of_one_moment_are_told_once(ears: tuple[Ear, Ear]) -> None:
    one, other = ears
    for topic in (Topic.CHANGES, Topic.DELIVERIES, Topic.CHANGES):
        one.listener._gather(topic)
    assert await one.next() == {Topic.CHANGES, Topic.DELIVERIES}
    assert one.heard.empty()
    assert other.heard.empty()


async def test_what_is_no_word_of_ours_is_not_heard(ears: tuple[Ear, Ear]) -> None:
    one, _ = ears
    for payload in ("", "x nothing", None):
        one.listener._hear(None, 0, "dialer", payload)
    assert one.listener._topics == set()


async def test_a_lost_session_is_replaced_and_everything_may_have_changed(
    ears: tuple[Ear, Ear], postgres: PostgresServer
) -> None:
    one, other = ears
    await one.listener.claim()
    connection = one.listener._connection
    assert connection is not None
    session = connection.get_server_pid()
    postgres.execute(f"SELECT pg_terminate_backend({session})")
    assert await one.next() == {Topic.CHANGES, Topic.DELIVERIES}
    await say(other, Topic.CHANGES)
    assert await one.next() == {Topic.CHANGES}
    fresh = await asyncpg.connect(one.listener._url)
    held = await fresh.fetchval(listening._CLAIMED, listening.CLAIM)
    await fresh.close()
    assert held


async def test_a_database_that_is_gone_is_known_without_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that nobody is sent to a process whose database has gone (`/readyz`)."""
    monkeypatch.setattr(listening, "_RECONNECT", (0.01, 0.01))
    with run_postgres() as server:
        ear = Ear(server.make_database().replace("+asyncpg", ""))
        await ear.listener.open()
        assert ear.listener.trouble is None
        server.stop()
        await until(lambda: ear.listener.trouble is not None)
        server.start()
        assert await ear.next() == {Topic.CHANGES, Topic.DELIVERIES}
        assert ear.listener.trouble is None
        await ear.listener.close()


async def test_an_ended_session_alone_is_no_trouble(ears: tuple[Ear, Ear]) -> None:
    one, _ = ears
    connection = one.listener._connection
    assert connection is not None
    connection.terminate()
    assert await one.next() == {Topic.CHANGES, Topic.DELIVERIES}
    assert one.listener.trouble is None


async def test_a_claim_is_shared_and_ends_with_the_session(ears: tuple[Ear, Ear]) -> None:
    one, other = ears
    assert not await claimed(one)
    await one.listener.claim()
    await other.listener.claim()
    assert await claimed(one)
    third = Ear(one.listener._url)
    await third.listener.open()
    assert await claimed(third)
    await one.listener.close()
    await other.listener.close()
    assert not await claimed(third)
    await third.listener.close()


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    ear = Ear("postgresql://nobody@/none?host=/nonexistent")
    with pytest.raises(StoreUnavailable):
        await ear.listener.open()
    with pytest.raises(StoreUnavailable):
        await ear.listener.claim()
    await ear.listener.close()
