"""The PBX's `/api/cdr` over HTTP, in all the ways that its clients ask."""

import json
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pytest

from dialer.php_query import build_query, hash_params, nest, parse_form
from tests.unit.dialer.api.calls import end_calls
from tests.unit.dialer.api.conftest import NOW, Api
from tests.unit.dialer.test_php_query import DOCUMENT

CDR: Final = "/api/cdr"
KEYS: Final = (
    *("id", "uniqueid", "linkedid", "time", "time_end", "caller_id", "source", "destination"),
    *("direction", "channel_formatted", "dstchannel_formatted", "customer_id", "user_fullname"),
    *("qname", "code", "call_status", "call_status_info", "call_codes", "accounting_code"),
    *("accounting_value", "comments", "monitor_files", "monitor_urls", "recording_file"),
    *("recording_url", "transfers", "project", "inbound_route", "inbound_route_id"),
    *("queue_log", "ivr_log", "external_id", "external_info", "agent_details", "is_recovered"),
    *("transcription_id", "transcription_text", "bill_duration", "duration", "bill_minutes"),
    *("ivr_duration", "hold_time", "ring_time"),
)
EMPTY: Final = {
    "has_error": False,
    "messages": [],
    "pagination": {"row_count": 0, "page_size": 100, "current_page": 0, "max_page": 0},
    "results": [],
}

WRONG_VALUES: Final[list[tuple[dict[str, Any], str]]] = [
    ({"page": 0}, "Invalid page"),
    ({"page": "x"}, "Invalid page"),
    ({"page": [1]}, "Invalid page"),
    ({"page": True}, "Invalid page"),
    ({"limit": 5}, "Invalid parameter: limit"),
    ({"filters": "x"}, "Invalid filters"),
    ({"filters": ["x"]}, "Invalid filters"),
    *(
        ({"filters": {name: value}}, f"Invalid value of filter: {name}")
        for name, value in (
            ("date_between", "2024-01-01"),
            ("date_between", ["2024-01-01"]),
            ("date_between", ["x", None]),
            ("date_between", ["2024-01-01", "2024-02-30"]),
            ("hour_between", ["25", "1"]),
            ("hour_between", ["1:60", "2"]),
            ("hour_between", "10"),
            ("direction", "UP"),
            ("call_status", "ANSWER"),
            ("call_status", [["BUSY"]]),
            ("from_id", "-1"),
            ("from_id", 1.5),
            ("telephone", ["1", "2"]),
            ("source", True),
            ("uniqueid", "x" * 300),
            ("has_transcription", "maybe"),
            ("user_id", {"a": {"b": "c"}}),
        )
    ),
]


def sign(params: dict[str, Any], key: str) -> dict[str, Any]:
    return params | {"api_hash": hash_params(params, key)}


async def post(api: Api, params: dict[str, Any], who: str = "alpha") -> httpx.Response:
    """As a JSON client does."""
    body = json.dumps(sign(params, api.keys[who]))
    headers = {"Content-Type": "text/xml"}
    return await api.send("POST", CDR, who, content=body, headers=headers)


def write_multipart(nested: dict[str, Any]) -> str:
    """As PHP's curl writes an array of fields, which has bracketed names."""
    dates = nested["filters"]["date_between"]
    flat = {f"filters[date_between][{index}]": date for index, date in dates.items()}
    fields = {"page": nested["page"], **flat, "api_hash": nested["api_hash"]}
    parts = (
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return "".join(parts) + "--B--\r\n"


async def search(api: Api, page: object = 1, **filters: Any) -> dict[str, Any]:
    answer = await post(api, {"page": page, "filters": filters})
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    assert list(content) == ["has_error", "messages", "pagination", "results"]
    assert content["has_error"] is False, content["messages"]
    return content


async def numbers(api: Api, **filters: Any) -> list[str]:
    return [row["destination"] for row in (await search(api, **filters))["results"]]


def failed(*messages: str) -> dict[str, Any]:
    return {"has_error": True, "messages": list(messages), "pagination": [], "results": []}


async def test_a_multipart_form_that_was_cut_off_is_told(api: Api) -> None:
    cut = '--B\r\nContent-Disposition: form-data; name="page"\r\n\r\n1'
    answer = await api.send("POST", CDR, "alpha", content=cut)
    assert (answer.status_code, answer.json()) == (400, failed("Invalid parameters"))


async def test_the_documents_example_in_every_dress(api: Api) -> None:
    await end_calls(api, {"number": "98"})
    key = api.keys["alpha"]
    query = build_query(DOCUMENT)
    signed = f"{query}&api_hash={hash_params(DOCUMENT, key)}"
    flat: dict[str, Any] = {
        "page": 1,
        "filters[date_between][0]": "2024-01-01 00:00:00",
        "filters[date_between][1]": "2024-01-15 23:59:59",
        "filters[project_id]": None,
    }
    assert nest(flat)["filters"]["date_between"]["0"] == "2024-01-01 00:00:00"
    requests: list[tuple[str, str, str]] = [
        ("GET", f"{CDR}?{signed}", ""),
        ("GET", f"{CDR}/?{signed}", ""),
        ("POST", CDR, signed),
        ("POST", f"{CDR}/", json.dumps(sign(DOCUMENT, key))),
        ("POST", CDR, "\n " + json.dumps(sign(flat, key), indent=1)),
        ("POST", f"{CDR}?{signed}", ""),
        ("GET", CDR, json.dumps(sign(DOCUMENT, key))),
        ("POST", CDR, write_multipart(parse_form(signed))),
    ]
    for method, path, content in requests:
        for kind in ("text/xml", "application/json", "application/x-www-form-urlencoded", "x"):
            headers = {"Content-Type": kind}
            answer = await api.send(method, path, "alpha", content=content, headers=headers)
            assert answer.status_code == 200, answer.text
            (row,) = answer.json()["results"]
            assert tuple(row) == KEYS
            assert answer.json()["pagination"] == {
                "row_count": 1,
                "page_size": 100,
                "current_page": 1,
                "max_page": 1,
            }
            assert (row["id"], row["time"], row["duration"]) == (
                "1",
                "2024-01-01 10:00:00",
                "00:00:11",
            )


async def test_nothing_found(api: Api) -> None:
    assert await search(api) == EMPTY
    assert await search(api, telephone="1") == EMPTY


async def test_pages_of_a_hundred(api: Api) -> None:
    await end_calls(api, *({"number": str(n)} for n in range(205)))
    pages = [await search(api, page) for page in (1, "2", 3, 4)]
    assert [len(page["results"]) for page in pages] == [100, 100, 5, 0]
    assert [page["pagination"]["current_page"] for page in pages] == [1, 2, 3, 4]
    assert {page["pagination"]["max_page"] for page in pages} == {3}
    assert {page["pagination"]["row_count"] for page in pages} == {205}
    found = [row["destination"] for page in pages for row in page["results"]]
    assert found == [str(n) for n in range(205)]
    assert (await search(api, None))["pagination"]["current_page"] == 1


async def test_all_eighteen_filters(api: Api) -> None:
    await end_calls(
        api,
        {"number": "5551", "caller_id": "A <1001>", "project": "one", "call_id": "c-1"},
        {"number": "5552", "disposition": "busy", "project": "two", "started_at": NOW + 12 * 3600},
        {"number": "777", "disposition": "cancel", "caller_id": "555", "recording_path": "/r/a"},
        {"number": "888", "disposition": "unknown", "channel_id": "Alpha-1", "project": None},
    )
    wanted: list[tuple[dict[str, Any], list[str]]] = [
        ({"date_between": ["2024-01-01 10:00:00", "2024-01-01 10:00:00"]}, ["5551", "777", "888"]),
        ({"date_between": ["2024-01-01 10:00:01", None]}, ["5552"]),
        ({"date_between": {"0": None, "1": "2023-12-31"}}, []),
        ({"project_id": 1}, ["5551"]),
        ({"project_id": ["1", 2, ""]}, ["5551", "5552"]),
        ({"project_id": "two"}, ["5552"]),
        ({"project_id": 9}, []),
        ({"user_id": [1]}, []),
        ({"inbound_route_id": "1"}, []),
        ({"direction": "OUT"}, ["5551", "5552", "777", "888"]),
        ({"direction": "outbound"}, ["5551", "5552", "777", "888"]),
        ({"direction": "IN"}, []),
        ({"call_status": "ANSWERED"}, ["5551"]),
        ({"call_status": "no answer"}, ["777"]),
        ({"call_status": ["BUSY", "FAILED"]}, ["5552", "888"]),
        ({"call_status": "CONGESTION"}, []),
        ({"telephone_like": "555"}, ["5551", "5552", "777"]),
        ({"telephone": "555"}, ["777"]),
        ({"telephone": 5551}, ["5551"]),
        ({"source": "55"}, ["777"]),
        ({"destination": "55"}, ["5551", "5552"]),
        ({"hour_between": ["10", "11"]}, ["5551", "777", "888"]),
        ({"hour_between": ["22:00", "22:00"]}, ["5552"]),
        ({"hour_between": ["21", "09:30"]}, ["5552"]),
        ({"hour_between": ["00:00", "23:59"]}, ["5551", "5552", "777", "888"]),
        ({"hour_between": ["11", "21:59:59"]}, []),
        ({"from_id": "3"}, ["777", "888"]),
        ({"from_id": 10**30}, []),
        ({"uniqueid": "Alpha-1"}, ["888"]),
        ({"linkedid": "Alpha-1", "uniqueid": "Alpha-1"}, ["888"]),
        ({"linkedid": "Alpha-1", "uniqueid": "Alpha-2"}, []),
        ({"external_id": "c-1"}, ["5551"]),
        ({"has_transcription": True}, []),
        ({"has_transcription": "0"}, ["5551", "5552", "777", "888"]),
        ({"has_recording_file": "1"}, ["777"]),
        ({"has_recording_file": False}, ["5551", "5552", "888"]),
        ({"user_id": 1, "call_status": "ANSWERED"}, []),
        ({"call_status": "ANSWERED", "has_transcription": "yes"}, []),
        (
            dict.fromkeys(("project_id", "source", "hour_between"), ""),
            ["5551", "5552", "777", "888"],
        ),
    ]
    for filters, found in wanted:
        assert await numbers(api, **filters) == found, filters
    named = {name for filters, _ in wanted for name in filters}
    assert named | {"has_monitor_file"} == set(DOCUMENT["filters"])


async def test_recordings_are_monitor_files_as_the_record_has_them(api: Api) -> None:
    await end_calls(api, {"number": "1"}, {"number": "2", "recording_path": "/r/a.wav"})
    rows = (await search(api))["results"]
    monitored = [row["destination"] for row in rows if row["monitor_files"]]
    assert await numbers(api, has_monitor_file=True) == monitored
    recorded = [row["destination"] for row in rows if row["recording_file"]]
    assert await numbers(api, has_recording_file=True) == recorded == ["2"]


async def test_an_unknown_filter(api: Api) -> None:
    answer = await post(api, {"filters": {"from_idxx": None}})
    assert answer.status_code == 200
    assert answer.json() == failed("Invalid filter: from_idxx")
    assert list(answer.json()) == ["has_error", "messages", "pagination", "results"]
    both = await post(api, {"filters": {"a": 1, "b": 2}})
    assert both.json()["messages"] == ["Invalid filter: a", "Invalid filter: b"]


async def test_wrong_values(api: Api) -> None:
    for params, message in WRONG_VALUES:
        answer = await post(api, params)
        assert (answer.status_code, answer.json()) == (200, failed(message))


async def test_keys_and_hashes(api: Api) -> None:
    key = api.keys["alpha"]
    signed = sign(DOCUMENT, key)
    wrong = failed("Invalid api_hash")
    for params in (DOCUMENT, signed | {"page": 2}, sign(DOCUMENT, "x"), signed | {"api_hash": 5}):
        answer = await api.send("POST", CDR, "alpha", content=json.dumps(params))
        assert (answer.status_code, answer.json()) == (401, wrong)
    for who in ("wrong", "beta", None):
        answer = await api.send("POST", CDR, who, content=json.dumps(signed))
        assert answer.status_code == 401
        assert answer.json()["has_error"] is True
    assert (await api.send("GET", CDR)).json() == wrong
    assert (await api.send("GET", CDR, "wrong")).json() == failed("Invalid API key")


async def test_what_cannot_be_read(api: Api) -> None:
    for body in (b"{", b'{"a":NaN}', b"\xff", b"a=%ff", b'{"a":"\\ud800"}'):
        answer = await api.send("POST", CDR, content=body)
        assert (answer.status_code, answer.json()) == (400, failed("Invalid parameters"))


async def test_others_see_nothing(api: Api) -> None:
    await end_calls(api, {})
    assert (await post(api, {"page": 1}, "beta")).json() == EMPTY
    answer = await post(api, {"page": 1, "accountcode": "alpha"}, "beta")
    assert (answer.status_code, answer.json()) == (404, failed("Client not found"))
    answer = await post(api, {"page": 1, "accountcode": "alpha"}, "root")
    assert answer.json()["pagination"]["row_count"] == 1
    assert (await post(api, {"page": 1}, "root")).status_code == 403


async def test_errors_of_any_kind_are_in_this_apis_form(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_large = await api.send("POST", CDR, content="a=" + "x" * 70_000)
    lost = await api.send("GET", f"{CDR}/7")
    wrong = await api.send("PUT", CDR)
    assert wrong.headers["allow"] == "GET, POST"
    deep = await api.send("POST", CDR, content="a" + "[b]" * 99 + "=1")
    await api.store.change_client("alpha", {"is_active": False}, NOW)
    inactive = await post(api, {})
    monkeypatch.setattr("dialer.api.pbx_cdr.identify", None)
    broken = await post(api, {})
    for answer, status in (
        (too_large, 413),
        (lost, 404),
        (wrong, 405),
        (deep, 400),
        (inactive, 403),
        (broken, 500),
    ):
        assert answer.status_code == status, answer.text
        assert answer.json() == failed(*answer.json()["messages"])


async def test_a_client_without_php_hashes_what_it_sends(api: Api) -> None:
    """With Python's own urlencode, which agrees wherever there is no `~`."""
    await end_calls(api, {"number": "98"})
    pairs = [("page", "1"), ("filters[telephone_like]", "9 8")]
    query = urlencode(pairs)
    hashed = hash_params(dict(pairs), api.keys["alpha"])
    answer = await api.send("GET", f"{CDR}?{query}&api_hash={hashed}")
    assert answer.json() == EMPTY
