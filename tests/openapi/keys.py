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
        with urllib.request.urlopen(request, timeout=10) as answer:
            key: str = json.load(answer)["api_key"]
        return key

    def set(self, case: Case, data: str, context: schemathesis.AuthContext) -> None:
        set_key(case, data)


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: object) -> object:
    """A call does not end before it starts, which JSON Schema has no words for."""
    if isinstance(body, dict) and {"start_time", "end_time"} <= body.keys():
        times = [body["start_time"], body["end_time"]]
        moments = [read_moment(text) for text in times]
        if None not in moments and moments[1] < moments[0]:  # type: ignore[operator]
            return {**body, "start_time": times[1], "end_time": times[0]}
    return body


def read_moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text).upper())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
