"""The errors that a route can answer, each with an example, as the OpenAPI description shows
them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dialer.api.answers import INVALID, METHOD_NOT_ALLOWED, SURPRISE, UNAVAILABLE
from dialer.api.auth import TWO_ACCOUNTS
from dialer.api.reading import TOO_LARGE, UNSUPPORTED
from dialer.bodies import NO_DATA, TOO_MANY
from dialer.items import NO_SERVER
from dialer.phrases import REQUIRED


@dataclass(frozen=True, slots=True)
class Problem:
    """One example of an error; `name` is its key among the examples of its status."""

    status: int
    name: str
    message: str
    details: str = ""
    errors: tuple[Mapping[str, Any], ...] = ()

    @property
    def content(self) -> dict[str, Any]:
        """The body that this error is answered with."""
        found: dict[str, Any] = {"message": self.message, "status": "error"}
        if self.details:
            found["details"] = self.details
        if self.errors:
            found["errors"] = [dict(error) for error in self.errors]
        return found


def wrong(name: str, field: str, message: str, index: int | None = None) -> Problem:
    """The 400 for one wrong field of a body."""
    where = f"data[{index}].{field}" if index is not None else field
    error = {"index": index, "field": field, "message": message}
    return Problem(400, name, INVALID, f"{where}: {message}", (error,))


STATUSES: Final = {
    400: "The request is wrong; `details` and `errors` say where",
    401: "No key, or one that is not valid (any more)",
    403: "The key may not do this",
    404: "There is no such thing, or it is another client's",
    405: "This path takes other methods: `Allow`",
    409: "It contradicts what is there, or itself",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The request breaks a rule",
    429: "Too many requests within a minute",
    500: "A fault of ours",
    503: "The database takes nothing at the moment; nothing was stored",
}
"""What each status means."""

NOWHERE: Final = (
    Problem(405, "method", METHOD_NOT_ALLOWED),
    Problem(500, "fault", SURPRISE),
)
"""What every path can answer."""

KEYED: Final = (
    *NOWHERE,
    Problem(401, "no_key", "Invalid API key", "no API key was given"),
    Problem(401, "wrong_key", "Invalid API key"),
    Problem(403, "not_active", "Client is not active"),
    Problem(429, "too_many", "Too many requests", "the limit is 1000 requests a minute"),
    Problem(503, "unavailable", UNAVAILABLE, "Nothing was stored"),
)
"""What every route that wants a key can answer."""

FOR_A_CLIENT: Final = (
    Problem(409, "two_accounts", TWO_ACCOUNTS),
    Problem(
        403,
        "no_account",
        "Account code is required for superuser",
        "name the client by accountcode or client_code, your own is operations",
    ),
    Problem(404, "no_client", "Client not found"),
)
"""What a route can answer that acts for one client."""

WITH_BODY: Final = (
    Problem(400, "no_json", "Request body is not valid JSON: EOF while parsing at line 1 column 9"),
    Problem(400, "no_object", "Request body must be a JSON object"),
    Problem(400, "bad_key", "Idempotency-Key must be 1 to 255 printable characters"),
    Problem(409, "other_request", "Idempotency-Key was used before with another request"),
    Problem(413, "too_large", TOO_LARGE, "the limit is 4194304 bytes"),
    Problem(415, "type", UNSUPPORTED, "Content-Type must be application/json"),
    Problem(415, "encoding", UNSUPPORTED, "Content-Encoding is not supported"),
)
"""What every route that reads a body can answer."""

SUPERUSER: Final = (Problem(403, "no_superuser", "Superuser API key required"),)
BAD_CLIENT: Final = (
    wrong("missing", "accountcode", REQUIRED),
    wrong("callback", "callbackurl", "127.0.0.1 is a private address"),
    Problem(409, "taken", "there is another client with this accountcode or username"),
)
BAD_BATCH: Final = (
    Problem(400, "no_data", NO_DATA),
    Problem(400, "too_many_items", TOO_MANY),
    wrong("no_channel", "action.Channel", REQUIRED, 0),
    wrong("not_allowed", "action.Application", "application 'System' is not allowed", 2),
    Problem(
        404,
        "no_server",
        NO_SERVER,
        f"data[0].asterisk_server_code: {NO_SERVER}",
        ({"index": 0, "field": "asterisk_server_code", "message": NO_SERVER},),
    ),
    Problem(404, "no_queue", "queue 123 not found"),
    Problem(409, "other_batch", "batch_id 12345 was used before with another body"),
    Problem(409, "completed", "queue 123 takes no more batches"),
)
BAD_QUICK_CALL: Final = (
    wrong("no_number", "number1", REQUIRED),
    wrong("timeout", "call_timeout", "must be 1 to 120 seconds"),
    Problem(
        404,
        "no_server",
        NO_SERVER,
        f"asterisk_server_code: {NO_SERVER}",
        ({"index": None, "field": "asterisk_server_code", "message": NO_SERVER},),
    ),
)
BAD_QUERY: Final = (Problem(400, "unknown_parameter", INVALID, "queue: unknown parameter"),)
BAD_PAGE: Final = (
    *BAD_QUERY,
    Problem(400, "page_size", INVALID, "page_size: must be 1 to 1000"),
)
BAD_ITEMS: Final = (
    Problem(400, "no_queue_named", INVALID, f"master_queue_id: {REQUIRED}"),
    Problem(404, "no_queue", "queue 123 not found"),
)
BAD_CHANGE: Final = (
    wrong("status", "queue_status", "must be 'paused', 'in-progress' or 'completed'"),
    Problem(404, "no_queue", "queue 123 not found"),
    Problem(409, "completed", "queue 123 is completed"),
    Problem(409, "quick_queue", "the queue of quick calls is never completed"),
)
BAD_GRACE: Final = (wrong("grace", "grace_hours", "must be at most 8760"),)
NOT_READY: Final = (Problem(503, "not_ready", "Not ready", "worker"),)


def by_status(problems: Iterable[Problem]) -> dict[int, list[Problem]]:
    """The problems of each status, statuses in order."""
    found: dict[int, list[Problem]] = {}
    for problem in sorted(problems, key=lambda problem: problem.status):
        found.setdefault(problem.status, []).append(problem)
    return found
