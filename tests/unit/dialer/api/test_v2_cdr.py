"""`/v2/cdr` over HTTP: as its document has it, and no other client's."""

import json
from typing import Any, Final

from dialer.access_tokens import LIFETIME
from tests.unit.dialer.api.calls import end_calls, end_quick_call
from tests.unit.dialer.api.conftest import BOOTSTRAP, NOW, Api

CDR: Final = "/v2/cdr"
TOKEN: Final = "/v2/auth/token"
DEFAULT_KEYS: Final = (
    *("id", "sip_call_id", "cause", "duration", "direction", "recording_url", "extension"),
    *("from_number", "to_number", "receive_dest", "time_started", "time_ringing"),
    *("time_answered", "time_ended", "status", "app", "press_key", "lead_id", "username"),
    *("firstname", "middlename", "lastname", "customer_id"),
)
FLEX_KEYS: Final = (
    *("cdrId", "sip_call_id", "recordFile", "extensionId", "to", "hangupAt", "answeredAt"),
    *("ringAt", "dialAt", "status", "duration", "direction", "billsec", "customerId"),
)

WRONG: Final[list[tuple[dict[str, str], str]]] = [
    ({"limit": "0"}, "limit: must be 1 to 1000"),
    ({"limit": "1001"}, "limit: must be 1 to 1000"),
    ({"limit": "²"}, "limit: must be 1 to 1000"),
    ({"page": "0"}, "page: must be "),
    ({"offset": "-1"}, "offset: must be "),
    ({"offset": "9" * 30}, "offset: must be "),
    ({"start_date": "yesterday"}, "start_date: must be YYYY-MM-DD"),
    ({"end_date": "2024-02-30"}, "end_date: must be YYYY-MM-DD"),
    ({"duration": "x"}, "duration: must be "),
    ({"direction": "4"}, "direction: must be one of inbound, local, outbound"),
    ({"application": "fax"}, "application: must be one of dial, autodialer, autocall"),
    ({"mapping": "round"}, "mapping: must be one of default, flex"),
    ({"phone": "9" * 300}, "phone: is too long"),
    ({"status": "ANSWERED"}, "status: unknown parameter"),
    ({"scroll_id": "x"}, "scroll_id: is none that was given out"),
    ({"scroll_id": "é"}, "scroll_id: is none that was given out"),
    ({"scroll_id": "W10"}, "scroll_id: is none that was given out"),
    ({"scroll_id": "eyJhIjotMSwibiI6MCwicSI6e319"}, "scroll_id: is none that was given out"),
    ({"scroll_id": "A" * 9000}, "scroll_id: is too long"),
    ({"scroll_id": "eyJhIjoxLCJuIjoxLCJxIjp7fX0", "page": "1"}, "scroll_id: goes with"),
]


async def get(api: Api, path: str = CDR, key: str | None = "alpha", **params: Any) -> Any:
    answer = await api.send("GET", path, key, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refuse(api: Api, code: int, path: str = CDR, key: str = "alpha", **params: Any) -> str:
    answer = await api.send("GET", path, key, params=params)
    assert answer.status_code == code, answer.text
    content = answer.json()
    assert content["status"] == "error"
    return f"{content['message']}: {content.get('details', '')}"


async def test_a_list_as_the_document_shows_it(api: Api) -> None:
    await end_calls(api, *({"number": f"98{n}"} for n in range(12)))
    listed = await get(api)
    assert list(listed) == ["data", "limit", "offset", "total", "scroll_id"]
    assert (listed["limit"], listed["offset"], listed["total"]) == (10, 0, 12)
    assert [record["to_number"] for record in listed["data"]] == [f"98{n}" for n in range(10)]
    assert [tuple(record) for record in listed["data"]] == [DEFAULT_KEYS] * 10
    record = listed["data"][0]
    assert record["status"] == "ANSWERED"
    assert record["time_started"] == "2024-01-01 10:00:00"
    assert (record["direction"], record["duration"]) == (3, 11)
    flex = (await get(api, mapping="flex"))["data"]
    assert [tuple(record) for record in flex] == [FLEX_KEYS] * 10
    assert flex[0]["dialAt"] == "2024-01-01 10:00:00"


async def test_the_mapping_is_the_clients_own_where_none_is_named(api: Api) -> None:
    await end_calls(api, {})
    await api.store.change_client("alpha", {"cdr_mapping": "flex"}, NOW)
    assert tuple((await get(api))["data"][0]) == FLEX_KEYS
    assert tuple((await get(api, mapping="DEFAULT"))["data"][0]) == DEFAULT_KEYS


async def test_times_are_by_the_clients_clock(api: Api) -> None:
    await end_calls(api, {})
    await api.store.change_client("alpha", {"timezone": "Asia/Ho_Chi_Minh"}, NOW)
    assert (await get(api))["data"][0]["time_started"] == "2024-01-01 17:00:00"
    assert (await get(api, start_date="2024-01-01 17:00:00"))["total"] == 1
    assert (await get(api, start_date="2024-01-01 17:00:01"))["total"] == 0
    assert (await get(api, end_date="2024-01-01 17:00:00"))["total"] == 1
    assert (await get(api, end_date="2024-01-01 16:59:59"))["total"] == 0
    assert (await get(api, start_date="2024-01-01", end_date="2024-01-01"))["total"] == 1
    assert (await get(api, start_date="2024-01-02"))["total"] == 0


async def test_pages(api: Api) -> None:
    await end_calls(api, *({"number": f"98{n}"} for n in range(5)))
    second = await get(api, page=2, limit=2)
    assert list(second) == ["data", "limit", "offset", "total"]
    assert (second["offset"], second["total"]) == (2, 5)
    assert [record["to_number"] for record in second["data"]] == ["982", "983"]
    beaten = await get(api, page=2, limit=2, offset=4)
    assert [record["to_number"] for record in beaten["data"]] == ["984"]
    assert (await get(api, page=9))["data"] == []
    assert (await get(api, offset="", page="1"))["offset"] == 0


async def test_scrolling_finds_every_call_once_while_calls_are_added(api: Api) -> None:
    await end_calls(api, *({"number": f"98{n}"} for n in range(5)))
    listed = await get(api, limit=2)
    found = [record["to_number"] for record in listed["data"]]
    offsets = [listed["offset"]]
    while listed["scroll_id"] is not None:
        if len(found) == 4:
            await end_calls(api, {"number": "985"}, {"number": "986"})
        listed = await get(api, limit=2, scroll_id=listed["scroll_id"])
        found += [record["to_number"] for record in listed["data"]]
        offsets.append(listed["offset"])
    assert found == [f"98{n}" for n in range(7)]
    assert offsets == [0, 2, 4, 6, 7]
    assert (listed["data"], listed["total"]) == ([], 7)


async def test_a_scroll_id_brings_its_filters_and_mapping(api: Api) -> None:
    await end_calls(api, *({"number": str(980 + n % 2)} for n in range(6)))
    listed = await get(api, limit=1, phone="981", mapping="flex", start_date="2024-01-01")
    more = await get(api, scroll_id=listed["scroll_id"])
    assert [record["to"] for record in more["data"]] == ["981", "981"]
    assert (more["limit"], more["total"]) == (10, 3)


async def test_filters(api: Api) -> None:
    await end_calls(
        api,
        {"number": "0899888999", "application": "Dial", "data": "PJSIP/101,30", "duration": 10},
        {"number": "5", "caller_id": "Acme <0899888999>", "application": "Playback"},
        {"number": "6", "application": "Queue", "data": "sales"},
    )
    await end_quick_call(api, number="7", application="Dial", data="PJSIP/102")
    wanted: list[tuple[dict[str, Any], list[str]]] = [
        ({"duration": 10}, ["0899888999"]),
        ({"extension": "101"}, ["0899888999"]),
        ({"phone": "0899888999"}, ["0899888999", "5"]),
        ({"direction": "outbound"}, ["0899888999", "5", "6", "7"]),
        ({"direction": "3"}, ["0899888999", "5", "6", "7"]),
        ({"direction": "inbound"}, []),
        ({"application": "dial"}, ["7"]),
        ({"application": "autodialer"}, ["0899888999", "6"]),
        ({"application": "autocall"}, ["5"]),
        ({"application": "autodialer", "phone": "6", "_": "1"}, ["6"]),
    ]
    for params, numbers in wanted:
        listed = await get(api, **params)
        assert [record["to_number"] for record in listed["data"]] == numbers, params
        assert listed["total"] == len(numbers)


async def test_one_cdr_is_a_bare_object(api: Api) -> None:
    cdr_id = "018cc4f5-1a2b-7c3d-8e4f-5a6b7c8d9e0f"
    await end_calls(api, {"cdr_id": cdr_id, "sip_call_id": "a/b?c@host", "number": "98"})
    by_id = await get(api, f"{CDR}/{cdr_id.upper()}")
    assert tuple(by_id) == DEFAULT_KEYS
    assert by_id["id"] == cdr_id
    assert await get(api, f"{CDR}/{cdr_id}/") == by_id
    assert await get(api, f"{CDR}/a%2Fb%3Fc%40host") == by_id
    assert tuple(await get(api, f"{CDR}/{cdr_id}", mapping="flex")) == FLEX_KEYS
    for other in ("x", "a" * 2000, "%00", "..%2f"):
        assert await refuse(api, 404, f"{CDR}/{other}") == "CDR not found: "
    assert await refuse(api, 404, f"{CDR}/{cdr_id}", "beta") == "CDR not found: "


async def test_others_see_nothing(api: Api) -> None:
    await end_calls(api, {}, {})
    mine = await get(api, limit=1)
    theirs = await get(api, key="beta")
    assert (theirs["data"], theirs["total"], theirs["scroll_id"]) == ([], 0, None)
    assert (await get(api, key="beta", scroll_id=mine["scroll_id"]))["data"] == []
    assert "Client not found" in await refuse(api, 404, key="beta", accountcode="alpha")
    assert (await get(api, key="root", accountcode="alpha"))["total"] == 2
    assert "Account code is required" in await refuse(api, 403, key="root")


async def test_a_scroll_of_a_superuser_stays_with_its_client(api: Api) -> None:
    await end_calls(api, {}, {})
    listed = await get(api, key="root", accountcode="alpha", limit=1)
    assert len((await get(api, key="root", scroll_id=listed["scroll_id"]))["data"]) == 1


async def test_wrong_parameters_are_named(api: Api) -> None:
    for params, told in WRONG:
        assert told in await refuse(api, 400, **params)


async def test_a_token_stands_for_its_key_for_an_hour(api: Api) -> None:
    await end_calls(api, {})
    answer = await api.http.post(TOKEN, json={"api_key": api.keys["alpha"]})
    assert answer.status_code == 200
    assert list(answer.json()) == ["token", "token_type", "expires_in"]
    token = answer.json()["token"]
    assert (await get(api, key=token))["total"] == 1
    assert (await api.get("/queues/getmasterqueues/", token)).status_code == 401
    api.clock.at += LIFETIME - 1
    assert (await get(api, key=token))["total"] == 1
    api.clock.at += 1
    assert await refuse(api, 401, key=token) == "Token expired: "


async def test_a_token_dies_with_its_key(api: Api) -> None:
    token = (await api.http.post(TOKEN, json={"api_key": api.keys["alpha"]})).json()["token"]
    assert (await api.put("/clients/revoke-api-key")).status_code == 200
    assert await refuse(api, 401, key=token) == "Invalid token: "


async def test_a_token_of_a_client_that_is_not_active(api: Api) -> None:
    token = (await api.http.post(TOKEN, json={"api_key": api.keys["alpha"]})).json()["token"]
    await api.store.change_client("alpha", {"is_active": False}, NOW)
    assert await refuse(api, 403, key=token) == "Client is not active: "
    answer = await api.http.post(TOKEN, json={"api_key": api.keys["alpha"]})
    assert answer.status_code == 403


async def test_requests_count_against_the_clients_limit(api: Api) -> None:
    await api.store.change_client("alpha", {"rate_limit": 2}, NOW)
    token = (await api.http.post(TOKEN, json={"api_key": api.keys["alpha"]})).json()["token"]
    await get(api, key=token)
    answer = await api.send("GET", CDR, token)
    assert answer.status_code == 429
    assert answer.headers["x-ratelimit-remaining"] == "0"


async def test_no_token_without_a_key(api: Api) -> None:
    bodies: list[tuple[object, int]] = [
        ({}, 400),
        ({"api_key": None}, 400),
        ({"api_key": 5}, 400),
        ({"api_key": "wrong"}, 401),
        ({"api_key": BOOTSTRAP}, 401),
        ([], 400),
    ]
    for body, status in bodies:
        answer = await api.http.post(TOKEN, json=body)
        assert (answer.status_code, answer.json()["status"]) == (status, "error")


async def test_what_is_no_credential(api: Api) -> None:
    for key in ("", "wrong", "dt_", "dt_" + "A" * 64):
        assert (await api.send("GET", CDR, key)).status_code == 401


async def test_keys_stand_where_those_of_our_own_api_do(api: Api) -> None:
    headers = {"X-API-KEY": api.keys["alpha"]}
    assert (await api.send("GET", CDR, None, headers=headers)).status_code == 200
    assert (await api.send("GET", CDR, None)).status_code == 401


async def test_paths_and_methods(api: Api) -> None:
    assert (await api.send("GET", f"{CDR}/")).status_code == 200
    for method, path, status in (("POST", CDR, 405), ("GET", "/v2/x", 404), ("GET", TOKEN, 405)):
        answer = await api.send(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, "error")


async def test_bodies_are_bounded(api: Api) -> None:
    answer = await api.http.post(TOKEN, content=json.dumps({"api_key": "x" * 70_000}))
    assert answer.status_code == 413
