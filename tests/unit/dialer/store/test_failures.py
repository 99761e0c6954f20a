"""Failures of the database and of single writes are told apart."""

import sqlite3

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from dialer.errors import Conflict, StoreUnavailable
from dialer.store.failures import as_failure, is_fatal

FULL = sqlite3.OperationalError("database or disk is full")
TAKEN = sqlite3.IntegrityError("UNIQUE constraint failed: servers.code")


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (FULL, True),
        (OperationalError("INSERT", None, FULL), True),
        (sqlite3.DatabaseError("database disk image is malformed"), True),
        (sqlite3.InternalError("?"), True),
        (TAKEN, False),
        (IntegrityError("INSERT", None, TAKEN), False),
        (sqlite3.ProgrammingError("type 'set' is not supported"), False),
        (OverflowError("too large"), False),
        (Conflict("taken"), False),
    ],
)
def test_only_a_failing_database_fails_the_whole_transaction(error: Exception, fatal: bool) -> None:
    assert is_fatal(error) is fatal


def test_failures_are_said_in_the_contracts_words() -> None:
    assert isinstance(as_failure(FULL), StoreUnavailable)
    assert isinstance(as_failure(OperationalError("INSERT", None, FULL)), StoreUnavailable)
    assert isinstance(as_failure(IntegrityError("INSERT", None, TAKEN)), Conflict)
    for own in (LookupError("no such client"), sqlite3.ProgrammingError("not supported")):
        assert as_failure(own) is own
