"""What every database's store does alike, as far as the conformance suite does not show it."""

from pathlib import Path

from dialer.store.contract import StoredKey
from dialer.store.sqlite import SqliteStore
from tests import store_records as make


async def test_the_installation_has_one_secret_for_good(tmp_path: Path) -> None:
    url = make.make_store_file(tmp_path / "dialer.db")
    secrets = set()
    for _ in range(2):
        store = SqliteStore(url)
        await store.open()
        secrets.add(await store.installation_secret())
        await store.close()
    (secret,) = secrets
    assert len(secret) == 32


async def test_an_attempt_that_was_settled_is_forgotten_by_the_wire_log(tmp_path: Path) -> None:
    store = SqliteStore(make.make_store_file(tmp_path / "dialer.db"))
    await store.open()
    await store.claim()
    await store.add_server(make.SERVER, make.NOW)
    await store.add_client(make.CLIENT, StoredKey("lookup", "digest"), make.NOW)
    added = await store.insert_batch(make.batch(make.item()))
    (item,) = await store.waiting(added.queue_id, 1, 0, 1)
    attempt = make.reservation(item)
    assert await store.reserve(attempt)
    store.note_sent(attempt.channel_id)
    assert store._wire_log.is_sent(attempt.channel_id)
    await store.settle(make.settlement(attempt))
    assert not store._wire_log.is_sent(attempt.channel_id)
    await store.close()
