"""Times as receivers read them: ISO 8601, UTC, with a `Z`.

Callbacks carry milliseconds, so that `duration` can be checked against start and end. SGAPI gets
whole seconds, the form of every example in its document: a strict reader there would otherwise
refuse the CDR for good (INVALID_TIMESTAMP). Both cut off, they never round up.
"""

from datetime import UTC, datetime

_OFFSET = len("+00:00")


def format_milliseconds(epoch: float) -> str:
    """`1705314600.1239` → `2024-01-15T10:30:00.123Z`."""
    text = datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")
    return text[:-_OFFSET] + "Z"


def format_seconds(epoch: float) -> str:
    """`1705314600.9` → `2024-01-15T10:30:00Z`."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")[:-_OFFSET] + "Z"


def format_optional(epoch: float | None) -> str | None:
    """`format_milliseconds`, or None for a time that there is not."""
    return None if epoch is None else format_milliseconds(epoch)
