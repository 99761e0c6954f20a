"""Whatever a caller with right credentials sends to the read APIs: an answer of that API's shape,
never a fault of ours."""

import json
import random
from typing import Any, Final
from urllib.parse import quote

import httpx

from dialer.api.cdr_schemas import PaginatedReport, PbxAnswer, ReportAnswer, ReportFailure
from dialer.cdr_queries import ozonetel, pbx, v2
from dialer.php_query import build_query, hash_params
from tests.unit.dialer.api.calls import end_calls
from tests.unit.dialer.api.conftest import Api

ROUNDS: Final = 150
TEXTS: Final = (
    *("", " ", "0", "1", "-1", "1.5", "9" * 18, "9" * 30, "1e9", "\0", "'", '"', "%", "_", "\\"),
    *("OUT", "IN", "ANSWERED", "NO ANSWER", "inbound", "3", "dial", "flex", "true", "x" * 255),
    *("2024-01-01", "2024-01-01 00:00:00", "2024-01-01 23:59:59", "9999-12-31", "0000-00-00"),
    *("10", "24:00", "23:59", "٣", "日本", "😀", "a[b]=c&d", "<xml/>", "Answered", "Manual"),
    *("page", "filters", "\n\r\t", "{}", "[]", "null", "10000000000000016", "x" * 5000),
)
NAMES: Final = ("", "x", "0", "page", "filters", "api_hash", "filters[source]", "_", "accountcode")


def choose_value(rng: random.Random, depth: int = 2) -> Any:
    if depth and rng.random() < 0.3:
        values = [choose_value(rng, depth - 1) for _ in range(rng.randrange(4))]
        if rng.random() < 0.5:
            return values
        return {rng.choice((*NAMES, *TEXTS)): value for value in values}
    others = (None, True, False, 0, -1, 7, 2**63, 10**40, 1.5, 1e300)
    return rng.choice(TEXTS) if rng.random() < 0.7 else rng.choice(others)


def choose_pairs(rng: random.Random, known: tuple[str, ...], most: int = 4) -> dict[str, Any]:
    """Mostly names that there are."""
    names = [
        rng.choice(known) if rng.random() < 0.95 else rng.choice(NAMES)
        for _ in range(rng.randrange(most))
    ]
    return {name: choose_value(rng) for name in names}


def check_failure(answer: httpx.Response) -> None:
    assert answer.status_code in (400, 401, 403, 404, 409, 413), answer.text


async def test_v2_cdr(api: Api) -> None:
    await end_calls(api, {}, {})
    rng = random.Random(1)
    found = 0
    known = (*v2.FILTERS, *v2.PAGES, "mapping")
    for _ in range(ROUNDS):
        params = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in choose_pairs(rng, known, 3).items()
        }
        path = "/v2/cdr" + (f"/{quote(rng.choice(TEXTS))}" if rng.random() < 0.2 else "")
        answer = await api.send("GET", path, params=params)
        content = answer.json()
        if answer.status_code == 200:
            found += len(content["data"])
            assert set(content) >= {"data", "limit", "offset", "total"}
        else:
            check_failure(answer)
            assert content["status"] == "error"
    assert found


async def test_reports(api: Api) -> None:
    deps = api.app.state.deps
    settings = deps.settings.model_copy(update={"reports_per_minute": 0})
    object.__setattr__(deps, "settings", settings)
    await end_calls(api, {}, {})
    rng = random.Random(2)
    found = 0
    today = {"fromDate": "2024-01-01 00:00:00", "toDate": "2024-01-01 23:59:59"}
    headers = {"apiKey": api.keys["alpha"]}
    names = tuple(name for name in ozonetel.FIELDS if name != "userName")
    for _ in range(ROUNDS):
        body = {"userName": "alpha", **today, **choose_pairs(rng, names, 3)}
        query = f"pageNo={quote(rng.choice(TEXTS))}" if rng.random() < 0.3 else ""
        path = rng.choice(("fetchCDRDetails", "fetchCdrByUCID", "fetchCdrByPagination"))
        answer = await api.http.request(
            "GET", f"/ca_reports/{path}?{query}", headers=headers, json=body
        )
        if answer.status_code == 200:
            shape = PaginatedReport if path == "fetchCdrByPagination" else ReportAnswer
            found += len(shape.model_validate(answer.json()).details)
        else:
            check_failure(answer)
            ReportFailure.model_validate(answer.json())
    assert found


async def test_searches(api: Api) -> None:
    await end_calls(api, {}, {})
    rng = random.Random(3)
    found = 0
    key = api.keys["alpha"]
    for _ in range(ROUNDS):
        params = choose_pairs(rng, ("page", "filters"), 2)
        params["filters"] = choose_pairs(rng, pbx.FILTERS, 3)
        params.pop("api_hash", None)
        signed = params | {"api_hash": hash_params(params, key)}
        if rng.random() < 0.5:
            answer = await api.send("POST", "/api/cdr", content=json.dumps(signed))
        else:
            query = f"{build_query(params)}&api_hash={signed['api_hash']}"
            answer = await api.send("GET", f"/api/cdr?{query}")
        content = PbxAnswer.model_validate(answer.json())
        if answer.status_code == 200:
            found += len(content.results)
            assert content.has_error is bool(content.messages)
        else:
            check_failure(answer)
            assert content.has_error
    assert found


async def test_bodies_that_are_no_parameters(api: Api) -> None:
    rng = random.Random(4)
    for _ in range(ROUNDS):
        body = bytes(rng.choice(b'{}[]":,=&%\\ \x00\xff0a') for _ in range(rng.randrange(30)))
        search = await api.send("POST", "/api/cdr", content=body)
        assert search.status_code in (400, 401), search.text
        PbxAnswer.model_validate(search.json())
        for method, path in (
            ("GET", "/ca_reports/fetchCDRDetails"),
            ("POST", "/ca_apis/caToken/generateToken"),
        ):
            headers = {"apiKey": api.keys["alpha"]}
            answer = await api.http.request(method, path, headers=headers, content=body)
            assert answer.status_code in (400, 401), answer.text
            ReportFailure.model_validate(answer.json())
        token = await api.http.post("/v2/auth/token", content=body)
        assert (token.status_code, token.json()["status"]) == (400, "error")
