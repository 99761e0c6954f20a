"""The requests that the description shows are taken, and answered in the shape that is shown."""

from typing import Any

from dialer.api import cdr_examples as examples
from dialer.dialects.ozonetel import Report
from dialer.php_query import hash_params
from tests.unit.dialer.api.calls import end_calls
from tests.unit.dialer.api.conftest import Api


def shape(value: Any) -> Any:
    """The keys of a value, in their order, all the way down."""
    if isinstance(value, dict):
        return [(name, shape(part)) for name, part in value.items()]
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


async def test_lists_of_cdrs(api: Api) -> None:
    answer = await api.http.post("/v2/auth/token", json={"api_key": api.keys["alpha"]})
    assert shape(answer.json()) == shape(examples.TOKEN)
    await end_calls(api, {})
    listed = (await api.send("GET", "/v2/cdr")).json()
    assert shape(listed) == shape(examples.CDRS)
    more = await api.send("GET", f"/v2/cdr?scroll_id={examples.SCROLL_ID}")
    assert more.json()["data"] == []
    one = await api.send("GET", f"/v2/cdr/{listed['data'][0]['id']}")
    assert shape(one.json()) == shape(examples.RECORD)


async def test_reports(api: Api) -> None:
    await api.store.change_client("alpha", {"username": "client_user"}, 0)
    await end_calls(api, {"project": "campaign_2024"}, {"disposition": "busy", "project": "x"})
    headers = {"apiKey": api.keys["alpha"]}
    token = await api.http.post(
        "/ca_apis/caToken/generateToken", headers=headers, json=examples.REPORT_HOLDER
    )
    assert shape(token.json()) == shape(examples.REPORT_TOKEN)
    for report, body in (
        (Report.PAGINATED, examples.REPORT),
        (Report.UCID, examples.UCID_REPORT),
    ):
        answer = await api.http.request("GET", f"/ca_reports/{report}", headers=headers, json=body)
        assert shape(answer.json()) == shape(examples.show_report(report))


async def test_a_filtered_report(api: Api) -> None:
    await api.store.change_client("alpha", {"username": "client_user"}, 0)
    await end_calls(api, {"disposition": "busy", "project": "campaign_2024"})
    answer = await api.http.request(
        "GET",
        f"/ca_reports/{Report.DETAILS}",
        headers={"apiKey": api.keys["alpha"]},
        json=examples.FILTERED_REPORT,
    )
    assert shape(answer.json()) == shape(examples.show_report(Report.DETAILS))


async def test_searches(api: Api) -> None:
    await end_calls(api, {"caller_id": "A <1>", "project": "x", "contact_number": "5"})
    for shown in (examples.SEARCH, examples.FLAT_SEARCH):
        params = {name: value for name, value in shown.items() if name != "api_hash"}
        hashed = hash_params(params, api.keys["alpha"])
        answer = await api.send("POST", "/api/cdr", json=params | {"api_hash": hashed})
        assert [name for name, _ in shape(answer.json())] == list(examples.FOUND)
        (row,) = answer.json()["results"]
        assert list(row) == list(examples.FOUND["results"][0])
        assert hash_params(params, "your_api_key") == shown["api_hash"]
