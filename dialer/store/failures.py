"""What the databases' drivers raise, in the contract's words.

PostgreSQL's errors are told by their SQLSTATE (postgresql.org/docs/16/errcodes-appendix.html).
"""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from dialer.errors import Conflict, StoreUnavailable

# The session was ended: by an operator, a crash, a start that goes on, or a timeout of its own.
_ENDED: Final = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})
# Two transactions waited for each other, or a plan of before a migration: the same may go well now.
_REPEATABLE: Final = frozenset({"40001", "40P01", "0A000"})
# Connection, resources (disk full, too many connections), read-only, cancelled, system, internal.
_FATAL: Final = ("08", "53", "25", "55", "57", "58", "XX")
_DEEPEST: Final = 4  # causes of causes


def is_fatal(error: BaseException) -> bool:
    """Whether the database itself failed (full, locked, damaged), not one row or one value."""
    error = _cause(error)
    if isinstance(error, sqlite3.OperationalError | sqlite3.InternalError):
        return True
    if type(error) is sqlite3.DatabaseError:
        return True
    state = find_state(error)
    if state is not None:
        return state.startswith(_FATAL) or state in _REPEATABLE
    return is_lost(error)


def is_lost(error: BaseException) -> bool:
    """Whether the connection to PostgreSQL is gone, or can not be had."""
    error = _cause(error)
    state = find_state(error)
    if state is not None:
        return state.startswith("08") or state in _ENDED
    if isinstance(error, OSError | TimeoutError):
        return not isinstance(error, StoreUnavailable)
    name = type(error).__name__
    # The second is how asyncpg says that a connection broke while it was being used.
    return (name == "InterfaceError" and "closed" in str(error)) or name == "InternalClientError"


def may_be_repeated(error: BaseException) -> bool:
    """Whether nothing was stored, and the same may go well on another try."""
    return find_state(_cause(error)) in _REPEATABLE


def find_state(error: BaseException) -> str | None:
    """The SQLSTATE of an error of asyncpg's, also where SQLAlchemy has wrapped it."""
    found: BaseException | None = _cause(error)
    for _ in range(_DEEPEST):
        state = getattr(found, "sqlstate", None)
        if isinstance(state, str):
            return state
        found = None if found is None else found.__cause__
    return None


def as_failure(error: BaseException) -> BaseException:
    """`error` as the contract says it; our own mistakes stay as they are."""
    cause = _cause(error)
    if isinstance(cause, PoolExhausted):
        return StoreUnavailable("every connection to the database is busy")
    state = find_state(cause)
    if isinstance(cause, sqlite3.IntegrityError) or (state or "").startswith("23"):
        return Conflict(str(cause))
    if is_fatal(cause):
        said = str(cause) or type(cause).__name__
        return StoreUnavailable(f"the database could not be used: {said}")
    return error


def _cause(error: BaseException) -> BaseException:
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig
    return error
