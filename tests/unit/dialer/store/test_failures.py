"""Failures of the database and of single writes are told apart."""

import sqlite3

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from dialer.errors import Conflict, StoreUnavailable
from dialer.store.failures import as_failure, find_state, is_fatal, is_lost, may_be_repeated

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


@pytest.mark.parametrize(
    ("error", "fatal", "lost", "again"),
    [
        (asyncpg.AdminShutdownError("terminated"), True, True, False),
        (asyncpg.ConnectionDoesNotExistError("gone"), True, True, False),
        (asyncpg.InterfaceError("connection is closed"), True, True, False),
        (asyncpg.InternalClientError("cannot switch to state 11"), True, True, False),
        (ConnectionRefusedError("refused"), True, True, False),
        (TimeoutError(), True, True, False),
        (asyncpg.IdleInTransactionSessionTimeoutError("too long"), True, True, False),
        (asyncpg.DeadlockDetectedError("deadlock"), True, False, True),
        (asyncpg.SerializationError("serialize"), True, False, True),
        (asyncpg.DiskFullError("full"), True, False, False),
        (asyncpg.TooManyConnectionsError("many"), True, False, False),
        (asyncpg.UniqueViolationError("taken"), False, False, False),
        (asyncpg.InterfaceError("wrong use"), False, False, False),
        (LookupError("own"), False, False, False),
    ],
)
def test_postgresqls_errors_are_told_by_their_states(
    error: Exception, fatal: bool, lost: bool, again: bool
) -> None:
    assert (is_fatal(error), is_lost(error), may_be_repeated(error)) == (fatal, lost, again)
    assert isinstance(as_failure(error), StoreUnavailable) is fatal


def test_what_sqlalchemy_wraps_is_told_as_well() -> None:
    taken = asyncpg.UniqueViolationError("taken")
    wrapped = IntegrityError("INSERT", None, Exception("adapted"))
    wrapped.orig.__cause__ = taken  # type: ignore[union-attr]
    assert find_state(wrapped) == "23505"
    assert isinstance(as_failure(wrapped), Conflict)
    own = LookupError("mine")
    own.__cause__ = own
    assert find_state(own) is None
