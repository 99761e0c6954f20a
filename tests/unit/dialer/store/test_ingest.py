"""ChannelIds that clients want: free of every other item's present and later attempts."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from dialer.store.ingest import free_channel_bases

NAMES = st.lists(
    st.none() | st.from_regex(r"[ab]{1,2}(-[0-9]{1,2}){0,2}", fullmatch=True), max_size=12
)


def empty_tables() -> sqlite3.Cursor:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE items (channel_base TEXT COLLATE NOCASE UNIQUE)")
    connection.execute("CREATE TABLE attempts (channel_id TEXT COLLATE NOCASE UNIQUE)")
    return connection.cursor()


@given(st.lists(NAMES, max_size=4))
def test_no_attempt_of_one_item_can_have_the_id_of_another(batches: list[list[str | None]]) -> None:
    cursor = empty_tables()
    bases: list[str] = []
    for wanted in batches:
        given_ = free_channel_bases(cursor, wanted)
        assert all(one in (None, asked) for one, asked in zip(given_, wanted, strict=True))
        new = [one for one in given_ if one is not None]
        cursor.executemany("INSERT INTO items VALUES (?)", [(one,) for one in new])
        bases += new
    ids = [one if n == 1 else f"{one}-{n}" for one in bases for n in range(1, 110)]
    assert len(ids) == len(set(ids))
    cursor.connection.close()


def test_a_name_nobody_has_is_given() -> None:
    cursor = empty_tables()
    cursor.execute("INSERT INTO attempts VALUES ('taken-name')")
    assert free_channel_bases(cursor, ["Taken-Name", "free-name"]) == [None, "free-name"]
    assert free_channel_bases(cursor, [None, None]) == [None, None]
    cursor.connection.close()
