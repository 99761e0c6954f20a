"""The description fits the routes and holds together."""

from typing import Any

from dialer.api.app import CDR_ROUTES, ROUTES
from tests.unit.dialer.api.conftest import Api
from tests.unit.dialer.test_bodies import ITEM


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(_references, node.values()))
    return set().union(*map(_references, node)) if isinstance(node, list) else set()


async def _description(api: Api) -> dict[str, Any]:
    answer = await api.send("GET", "/openapi.json", None)
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


async def test_each_route_stands_there_once_as_documented(api: Api) -> None:
    paths = (await _description(api))["paths"]
    assert set(paths) == {
        "/calling/api/clients/",
        "/calling/api/clients/regenerate-api-key",
        "/calling/api/clients/revoke-api-key",
        "/calling/api/clients/test-connection",
        "/calling/api/clients/signing-secret",
        "/calling/api/clients/regenerate-signing-secret",
        "/calling/api/queues/flushqueue/",
        "/calling/api/queues/insertdataincallqueue/",
        "/calling/api/queues/insertquickcall/",
        "/calling/api/queues/getmasterqueues/",
        "/calling/api/queues/getqueues/",
        "/calling/api/queues/updatequeuemaster/{queue_id}",
        "/v2/auth/token",
        "/v2/cdr",
        "/v2/cdr/{cdr_id}",
        "/ca_apis/caToken/generateToken",
        "/ca_reports/fetchCDRDetails",
        "/ca_reports/fetchCdrByUCID",
        "/ca_reports/fetchCdrByPagination",
        "/api/cdr",
        "/cdrtosgapi",
        "/cdrtosgapi/{entity_or_uuid}",
        "/healthz",
        "/readyz",
    }
    for route in ROUTES:
        assert route.method.lower() in paths[f"/calling/api{route.path}"]
    for route in CDR_ROUTES:
        assert (
            route.method.lower()
            in paths[route.path.removesuffix(":path}") + "}" * route.path.endswith(":path}")]
        )
    assert set(paths["/cdrtosgapi"]) == {"put"}
    assert set(paths["/cdrtosgapi/{entity_or_uuid}"]) == {"get", "put"}


async def test_every_reference_leads_somewhere(api: Api) -> None:
    content = await _description(api)
    schemas = content["components"]["schemas"]
    for reference in _references(content):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference


async def test_bodies_and_errors_are_described(api: Api) -> None:
    content = await _description(api)
    schemas = content["components"]["schemas"]
    assert set(schemas["QueueItem"]["properties"]) > set(ITEM)
    assert schemas["BatchRequest"]["properties"]["data"]["maxItems"] == 1000
    assert schemas["NewClient"]["required"] == ["name", "accountcode", "username"]
    assert "HTTPValidationError" not in str(content)
    for path, operations in content["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/calling/"):
                has_body = method in ("post", "put")
                assert ("requestBody" in operation) is has_body
                assert {"200", "401", "403", "405", "429", "500", "503"} <= {
                    *operation["responses"]
                }
                assert ("413" in operation["responses"]) is has_body
