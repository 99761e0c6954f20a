"""Ozonetel's token and reports over HTTP, word for word."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from typing import Any, Final

import httpx
import pytest

from dialer.api.cdr_examples import SAMPLE
from dialer.errors import StoreUnavailable
from dialer.histories import CdrRow
from tests.unit.dialer.api.calls import DAY, end_calls, end_quick_call
from tests.unit.dialer.api.conftest import NOW, Api

TOKEN: Final = "/ca_apis/caToken/generateToken"
DETAILS: Final = "/ca_reports/fetchCDRDetails"
UCID: Final = "/ca_reports/fetchCdrByUCID"
PAGE: Final = "/ca_reports/fetchCdrByPagination"
TODAY: Final = {
    "fromDate": "2024-01-01 00:00:00",
    "toDate": "2024-01-01 23:59:59",
    "userName": "alpha",
}
# The document's table, but for the three keys whose spelling depends on the report.
FIELDS: Final = {
    *("AgentDialStatus", "AgentID", "AgentName", "CallAudio", "CallDate", "CallID"),
    *("CallerConfAudioFile", "CallerID", "CampaignName", "Comments", "ConferenceDuration"),
    *("CustomerDialStatus", "CustomerRingTime", "DID", "DialOutName", "DialStatus"),
    *("DialedNumber", "Disposition", "Duration", "DynamicDID", "E164", "EndTime", "Event"),
    *("HandlingTime", "HangupBy", "HoldDuration", "Location", "PickupTime", "Rating"),
    *("RatingComments", "Skill", "StartTime", "Status", "TalkTime", "TimeToAnswer"),
    *("TransferType", "Type", "UCID", "UUI", "WrapUpStartTime", "WrapupDuration"),
}
MISSING: Final = {"status": "false", "message": "Missing userName or apiKey"}
WRONG: Final = {"status": "false", "message": "userName or apiKey is Invalid"}
ENDED: Final = {"status": "false", "message": "Token Expired", "data": None}
NO_JSON: Final = {"status": "false", "message": "Invalid Json Pass Valid Json"}

WRONG_ARGUMENTS: Final[list[tuple[dict[str, Any], str]]] = [
    ({"fromDate": ...}, "Missing fromDate and toDate"),
    ({"toDate": ""}, "Missing fromDate and toDate"),
    ({"fromDate": None, "toDate": None}, "Missing fromDate and toDate"),
    (
        {"fromDate": "2024-01-01"},
        "Invalid fromDate format. Please pass the date in the format yyyy-MM-dd HH:mm:ss",
    ),
    (
        {"toDate": "01-01-2024 00:00:00"},
        "Invalid toDate format. Please pass the date in the format yyyy-MM-dd HH:mm:ss",
    ),
    ({"toDate": "2024-01-02 00:00:00"}, "fromDate and toDate must be of the same date"),
    ({"toDate": "2023-12-31 23:59:59"}, "fromDate and toDate must be of the same date"),
    ({"fromDate": "2024-01-01 23:59:59", "toDate": "2024-01-01 00:00:00"}, "toDate must not"),
    ({"fromDate": "2024-01-02 00:00:00"}, "fromDate must not be in the future"),
    (
        {"fromDate": "2023-12-16 00:00:00", "toDate": "2023-12-16 10:00:00"},
        "fromDate must not be more than 15 days back",
    ),
    ({"callType": "Fax"}, "Invalid callType"),
    ({"status": "Busy"}, "Invalid status"),
    ({"campaignName": 7}, "Invalid campaignName"),
    ({"campaignName": ["spring"]}, "Invalid campaignName"),
    ({"ucid": "x"}, "Invalid ucid"),
    ({"ucid": -16}, "Invalid ucid"),
    ({"ucid": 10**40}, "Invalid ucid"),
    ({"ucid": "9" * 300}, "Invalid ucid"),
    ({"agentID": "7"}, "Invalid parameter: agentID"),
]


@pytest.fixture(autouse=True)
def _reports_without_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    allow(api, 10_000)


def allow(api: Api, reports: int) -> None:
    """Let each client have so many reports a minute."""
    deps = api.app.state.deps
    changed = deps.settings.model_copy(update={"reports_per_minute": reports})
    object.__setattr__(deps, "settings", changed)


async def fetch_token(api: Api, key: str = "alpha", username: str | None = None) -> str:
    headers = {"apiKey": api.keys[key]}
    body = {"userName": username or key}
    answer = await api.http.post(TOKEN, headers=headers, json=body)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    assert answer.json() == {"token": token}
    return token


async def ask(
    api: Api, path: str = DETAILS, key: str | None = None, query: str = "", **body: Any
) -> httpx.Response:
    token = key if key is not None else await fetch_token(api)
    body = {name: value for name, value in (TODAY | body).items() if value is not ...}
    headers = {"Authorization": f"Bearer {token}"}
    return await api.http.request("GET", path + query, headers=headers, json=body)


async def report(api: Api, path: str = DETAILS, query: str = "", **body: Any) -> dict[str, Any]:
    answer = await ask(api, path, query=query, **body)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    assert content["status"] == "success"
    return content


async def numbers(api: Api, path: str = DETAILS, **body: Any) -> list[str]:
    return [row["DialedNumber"] for row in (await report(api, path, **body))["details"]]


async def test_all_calls_of_a_day(api: Api) -> None:
    await end_calls(
        api,
        {"number": "1", "started_at": NOW - DAY},
        *({"number": str(n)} for n in range(2, 52)),
        {"number": "0", "started_at": NOW + DAY},
    )
    content = await report(api)
    assert list(content) == ["details", "status", "message"]
    details = content["details"]
    assert [row["DialedNumber"] for row in details] == [str(n) for n in range(2, 52)]
    assert set(details[0]) == FIELDS | {"TransferredTo", "WrapUpEndTime"}
    assert list(details[0]) == sorted(details[0])
    assert details[0]["CallDate"] == "2024-01-01"
    assert details[0]["StartTime"] == "10:00:00"
    assert details[0]["Rating"] == 0
    assert details[0]["CallID"] == details[0]["UCID"] > 2**53


async def test_a_long_report_comes_in_pieces(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [CdrRow(number, replace(SAMPLE, number=str(number)), False, "q") for number in range(7)]

    async def stream(*_: object) -> AsyncIterator[tuple[CdrRow, ...]]:
        for piece in (rows[:0], rows[:3], rows[:0], rows[3:4], rows[4:], rows[:0]):
            yield tuple(piece)

    monkeypatch.setattr(api.app.state.deps.store, "cdr_stream", stream)
    assert await numbers(api) == [str(number) for number in range(7)]


async def test_no_calls(api: Api) -> None:
    answer = await ask(api)
    assert answer.text == '{"details":[],"status":"success","message":"success"}'
    assert answer.headers["content-type"] == "application/json"
    paged = await ask(api, PAGE)
    assert paged.json() == {
        "details": [],
        "status": "success",
        "message": "success",
        "totalCount": 0,
    }


async def test_pages(api: Api) -> None:
    await end_calls(api, *({"number": str(n)} for n in range(5)))
    content = await report(api, PAGE, "?pageNo=2&pageSize=2")
    assert list(content) == ["details", "status", "message", "totalCount"]
    assert content["totalCount"] == 5
    assert [row["DialedNumber"] for row in content["details"]] == ["2", "3"]
    assert set(content["details"][0]) == FIELDS | {"TransferTo", "WrapupEndTime"}
    assert len((await report(api, PAGE))["details"]) == 5
    assert (await report(api, PAGE, "?pageNo=4&pageSize=2"))["details"] == []


async def test_one_call_by_ucid(api: Api) -> None:
    await end_calls(api, {"number": "1"}, {"number": "2"})
    ucid = (await report(api))["details"][1]["UCID"]
    for given in (ucid, str(ucid)):
        (row,) = (await report(api, UCID, ucid=given))["details"]
        assert (row["DialedNumber"], row["UCID"]) == ("2", ucid)
        assert set(row) == FIELDS | {"TransferredTo", "WrapUpEndTime"}
    assert await numbers(api, UCID, ucid=ucid + 1) == []
    assert await numbers(api, UCID, ucid=5) == []
    assert await numbers(api, monitorUCID=ucid) == ["2"]
    assert await numbers(api, UCID, ucid=ucid, monitorUCID=ucid - 16) == []
    beta = await fetch_token(api, "beta")
    answer = await ask(api, UCID, beta, ucid=ucid, userName="beta")
    assert answer.json()["details"] == []


async def test_filters(api: Api) -> None:
    await end_calls(
        api,
        {"number": "1", "project": "spring"},
        {"number": "2", "project": "autumn", "disposition": "busy"},
    )
    await end_quick_call(api, number="3", disposition="failed")
    assert await numbers(api, campaignName="spring") == ["1"]
    assert await numbers(api, callType="Progressive") == ["1", "2"]
    assert await numbers(api, callType="manual") == ["3"]
    assert await numbers(api, callType="InBound") == []
    assert await numbers(api, status="Answered") == ["1"]
    assert await numbers(api, status="notanswered") == ["2", "3"]
    assert await numbers(api, status="NotAnswered", callType="Progressive") == ["2"]
    assert await numbers(api, campaignName=None, status="") == ["1", "2", "3"]
    types = {row["DialedNumber"]: row["Type"] for row in (await report(api))["details"]}
    assert types == {"1": "Progressive", "2": "Progressive", "3": "Manual"}
    answer = await ask(api, campaignName="winter")
    assert (answer.status_code, answer.text) == (
        400,
        '{"message":"Invalid campaignName","status":"fail"}',
    )


async def test_wrong_arguments(api: Api) -> None:
    token = await fetch_token(api)
    for changes, message in WRONG_ARGUMENTS:
        answer = await ask(api, key=token, **changes)
        assert answer.status_code == 400, answer.text
        assert list(answer.json()) == ["message", "status"]
        assert answer.json()["status"] == "fail"
        assert answer.json()["message"].startswith(message)


async def test_the_edges_of_what_may_be_asked(api: Api) -> None:
    assert (await ask(api, fromDate="2023-12-17 00:00:00", toDate="2023-12-17 23:59:59")).is_success
    assert (await ask(api, UCID)).json() == {"message": "Missing ucid", "status": "fail"}
    for query in ("?pageSize=501", "?pageSize=0", "?pageNo=0", "?pageNo=x"):
        name = query[1:].partition("=")[0]
        answer = await ask(api, PAGE, query=query)
        assert answer.json() == {"message": f"Invalid {name}", "status": "fail"}
    assert (await ask(api, PAGE, query="?pageSize=500&_=1")).is_success


async def test_the_day_is_the_clients(api: Api) -> None:
    await end_calls(api, {"number": "1", "started_at": NOW + 12 * 3600})  # 22:00 UTC
    await api.store.change_client("alpha", {"timezone": "Asia/Ho_Chi_Minh"}, NOW)
    api.clock.at = NOW + DAY
    assert await numbers(api) == []
    tomorrow = {"fromDate": "2024-01-02 00:00:00", "toDate": "2024-01-02 23:59:59"}
    (row,) = (await report(api, **tomorrow))["details"]
    assert (row["CallDate"], row["StartTime"]) == ("2024-01-02", "05:00:00")


async def test_a_body_is_needed_and_post_is_not_taken(api: Api) -> None:
    headers = {"Authorization": f"Bearer {await fetch_token(api)}"}
    for path in (DETAILS, UCID, PAGE):
        answer = await api.http.get(path, headers=headers, params=TODAY)
        assert (answer.status_code, answer.json()) == (400, NO_JSON)
        for content in (b"[]", b"{", b'"x"', b"\xff", b"[" * 5000, b'{"a":NaN}'):
            answer = await api.http.request("GET", path, headers=headers, content=content)
            assert (answer.status_code, answer.json()) == (400, NO_JSON)
        answer = await api.http.post(path, headers=headers, json=TODAY)
        assert (answer.status_code, answer.json()["status"]) == (405, "false")
        assert answer.headers["allow"] == "GET"


async def test_credentials(api: Api) -> None:
    key = api.keys["alpha"]
    token = await fetch_token(api)
    for headers in (
        {"apiKey": key},
        {"apikey": key, "Authorization": f"Bearer {token}"},
        {"apiKey": "stale", "Authorization": f"Bearer {token}"},
        {"Authorization": f"Bearer {key}"},
    ):
        answer = await api.http.request("GET", DETAILS, headers=headers, json=TODAY)
        assert answer.status_code == 200, answer.text
    for headers, body, told in (
        ({}, TODAY, MISSING),
        ({"apiKey": key}, TODAY | {"userName": ""}, MISSING),
        ({"apiKey": key}, {}, MISSING),
        ({"apiKey": key}, TODAY | {"userName": "beta"}, WRONG),
        ({"apiKey": key}, TODAY | {"userName": 5}, WRONG),
        ({"apiKey": "wrong"}, TODAY, WRONG),
        ({"Authorization": "Bearer dt_x"}, TODAY, WRONG),
    ):
        answer = await api.http.request("GET", DETAILS, headers=headers, json=body)
        assert (answer.status_code, answer.json()) == (401, told)
        assert list(answer.json()) == ["status", "message"]


async def test_a_token_ends_and_dies_with_its_key(api: Api) -> None:
    token = await fetch_token(api)
    api.clock.at += 3599
    assert (await ask(api, key=token)).status_code == 200
    api.clock.at += 1
    answer = await ask(api, key=token)
    assert (answer.status_code, answer.text) == (401, json.dumps(ENDED, separators=(",", ":")))
    token = await fetch_token(api)
    assert (await api.put("/clients/regenerate-api-key")).status_code == 200
    answer = await ask(api, key=token)
    assert (answer.status_code, answer.json()) == (401, WRONG)


async def test_the_tokens_path_is_written_in_four_ways(api: Api) -> None:
    headers = {"apiKey": api.keys["alpha"]}
    for top, name, slash in product(("ca_apis", "ca_reports"), ("caToken", "CAToken"), ("", "/")):
        path = f"/{top}/{name}/generateToken{slash}"
        answer = await api.http.post(path, headers=headers, json={"userName": "alpha"})
        assert answer.json()["token"].startswith("dt_")


async def test_no_token(api: Api) -> None:
    key = api.keys["alpha"]
    for headers, body, status, told in (
        ({}, {"userName": "alpha"}, 401, MISSING),
        ({"apiKey": key}, {}, 401, MISSING),
        ({"apiKey": key}, {"userName": "beta"}, 401, WRONG),
        ({"apiKey": "wrong"}, {"userName": "alpha"}, 401, WRONG),
        ({"apiKey": await fetch_token(api)}, {"userName": "alpha"}, 401, WRONG),
        ({"apiKey": api.keys["root"]}, {"userName": "bootstrap"}, 401, WRONG),
        ({"apiKey": key}, [], 400, NO_JSON),
    ):
        answer = await api.http.post(TOKEN, headers=headers, json=body)
        assert (answer.status_code, answer.json()) == (status, told)


async def test_two_reports_a_minute_over_all_three(api: Api) -> None:
    allow(api, 2)
    token = await fetch_token(api)
    assert (await ask(api, DETAILS, token, fromDate="x")).status_code == 400  # read nothing
    assert (await ask(api, DETAILS, token)).status_code == 200
    second = await ask(api, PAGE, token)
    assert second.status_code == 200
    assert second.headers["x-ratelimit-limit"] == "2"
    assert second.headers["x-ratelimit-remaining"] == "0"
    third = await ask(api, UCID, token, ucid=1)
    assert third.status_code == 429
    assert third.json() == {"message": "Too many requests", "status": "fail"}
    assert third.headers["retry-after"] == "60"
    beta = await fetch_token(api, "beta")
    assert (await ask(api, DETAILS, beta, userName="beta")).status_code == 200
    api.clock.at += 60
    assert (await ask(api, DETAILS, token)).status_code == 200
    allow(api, 0)
    for _ in range(4):
        assert (await ask(api, DETAILS, token)).status_code == 200


async def test_a_client_that_is_not_active(api: Api) -> None:
    token = await fetch_token(api)
    await api.store.change_client("alpha", {"is_active": False}, NOW)
    answer = await ask(api, key=token)
    assert (answer.status_code, answer.json()) == (
        403,
        {"status": "false", "message": "Client is not active"},
    )


async def test_errors_of_any_kind_are_in_this_apis_form(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await fetch_token(api)
    too_large = await ask(api, key=token, campaignName="x" * 70_000)
    lost = await api.http.get("/ca_reports/nowhere")

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(api.app.state.deps.store, "cdr_stream", fail)
    down = await ask(api, key=token)
    monkeypatch.setattr("dialer.api.ozonetel.read_report", None)
    broken = await ask(api, key=token)
    for answer, status in ((too_large, 413), (lost, 404), (down, 503), (broken, 500)):
        assert answer.status_code == status
        assert list(answer.json()) == ["status", "message"]
        assert answer.json()["status"] == "false"
