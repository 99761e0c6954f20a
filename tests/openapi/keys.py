"""Hooks of schemathesis: which API key a request gets, and what no schema can say of a body.

All requests get the key in API_KEY, but for the two operations that replace their caller's key:
those get a new key of another client each time, or the first of them would end the run with 401.
"""

import json
import os
import urllib.request
from datetime import UTC, datetime
from typing import Any, Final

import schemathesis

from tests.patience import PATIENCE

Case = schemathesis.Case[Any]
REPLACING: Final = ["regenerate_key", "revoke_key"]


def set_key(case: Case, key: str) -> None:
    case.headers["Authorization"] = f"Bearer {key}"


@schemathesis.auth(refresh_interval=None).skip_for(operation_id=REPLACING)
class LastingKey:
    def get(self, case: Case, context: schemathesis.AuthContext) -> str:
        return os.environ["API_KEY"]

    def set(self, case: Case, data: str, context: schemathesis.AuthContext) -> None:
        set_key(case, data)


@schemathesis.auth(refresh_interval=None).apply_to(operation_id=REPLACING)
class KeyForOnce:
    def get(self, case: Case, context: schemathesis.AuthContext) -> str:
        url = f"{os.environ['API_ORIGIN']}/calling/api/clients/regenerate-api-key"
        request = urllib.request.Request(
            f"{url}?accountcode={os.environ['API_SCRATCH']}",
            method="PUT",
            headers={"Authorization": f"Bearer {os.environ['API_SUPERUSER']}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            key: str = json.load(answer)["api_key"]
        return key

    def set(self, case: Case, data: str, context: schemathesis.AuthContext) -> None:
        set_key(case, data)


@schemathesis.hook.apply_to(path_regex="^/cdrtosgapi")  # type: ignore[attr-defined,untyped-decorator]
def before_call(context: schemathesis.HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """A call does not end before it starts, which JSON Schema has no words for."""
    body = case.body
    if isinstance(body, dict) and {"start_time", "end_time"} <= body.keys():
        start, end = (read_moment(body[name]) for name in ("start_time", "end_time"))
        if start is not None and end is not None and end < start:
            case.body = {**body, "start_time": body["end_time"], "end_time": body["start_time"]}


def read_moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text).upper())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
