"""What can go wrong, by who must act on it."""

from dataclasses import dataclass


class DialerError(Exception):
    """Base of every error that this package raises on purpose."""


class SettingsError(DialerError):
    """The operator gave a setting or an argument that cannot work: one plain sentence, exit 2."""


class IllegalTransition(DialerError):
    """A lifecycle table has no such move: our own bug."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"no transition from {old} to {new}")
        self.old = old
        self.new = new


class NotFound(DialerError):
    """The named thing does not exist, or belongs to another client (the same answer for both)."""


class Conflict(DialerError):
    """What was asked contradicts what is there: a duplicate name, another body for a batch_id."""


class DuplicateCdr(Conflict):
    """The client has a CDR of this uuid."""


class OwnershipLost(DialerError):
    """Another worker owns this Asterisk server now: nothing was written, and this process must not
    dial there any more."""

    def __init__(self, server_id: int) -> None:
        super().__init__(f"another worker owns server {server_id} now")
        self.server_id = server_id


class TooLate(DialerError):
    """An attempt waited too long for its write: nothing was written, and its item may go anew."""


class StoreUnavailable(DialerError):
    """The database could not take a write (disk full, locked, gone). Nothing of it was stored."""


class CoordinationUnavailable(DialerError):
    """What workers agree through cannot be reached: nothing new may be started."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One reason why one field was refused; `index` is the item's place in its batch."""

    field: str
    message: str
    index: int | None = None


class Refused(DialerError):
    """A client's data broke rules. Carries every error found, not only the first."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.message}" for e in errors[:5]))
        self.errors = errors
