"""What is described is what is sent."""

import json
from typing import Any

import pytest

from ami import Disposition
from dialer.api.webhooks import EXAMPLE, EXPIRED, STARTED, Callback, describe_webhooks
from dialer.delivery.callback import (
    EVENTS,
    OTHER_EVENT,
    build_callback,
    build_closing,
    build_progress,
)
from dialer.delivery.signing import sign
from dialer.states import CallbackEvent, ItemEnd
from dialer.store.contract import NewDelivery
from tests.unit.dialer.api.conftest import Api
from tests.unit.dialer.delivery.samples import CLIENT, NOW, make_cdr, make_ended, make_reached

REF = "#/components/schemas/{model}"


def fit(delivery: NewDelivery | None) -> dict[str, Any]:
    assert delivery is not None
    body: dict[str, Any] = json.loads(delivery.body)
    Callback.model_validate(body, strict=True)
    assert list(body) == list(Callback.model_fields)
    return body


@pytest.mark.parametrize("disposition", [word.value for word in Disposition])
def test_attempts(disposition: str) -> None:
    for final in (True, False):
        cdr = make_cdr(disposition=disposition, final=final, leg_b=None)
        body = fit(build_callback(cdr, CLIENT, NOW))
        assert body["disposition"] == disposition


def test_an_attempt_with_a_second_leg() -> None:
    body = fit(build_callback(make_cdr(), CLIENT, NOW))
    assert set(body["custom_data"]) == set(EXAMPLE["custom_data"])
    assert set(body["custom_data"]["leg_b"]) == set(EXAMPLE["custom_data"]["leg_b"])


@pytest.mark.parametrize("end", ItemEnd)
def test_items_that_end_without_an_attempt(end: ItemEnd) -> None:
    fit(build_closing(make_ended(end), CLIENT, "server1", NOW))


@pytest.mark.parametrize("event", CallbackEvent)
def test_calls_that_go_on(event: CallbackEvent) -> None:
    for started_at in (NOW, None):
        body = fit(build_progress(make_reached(event, started_at=started_at), CLIENT, NOW))
        assert set(body) == set(STARTED)


def test_every_event_and_every_end_is_described() -> None:
    schema = Callback.model_json_schema()["properties"]
    assert set(schema["event_type"]["enum"]) == {*EVENTS.values(), OTHER_EVENT, *CallbackEvent}
    (told, _) = schema["disposition"]["anyOf"]
    assert set(told["enum"]) == {word.value for kind in (Disposition, ItemEnd) for word in kind}


@pytest.mark.parametrize("example", [EXAMPLE, EXPIRED, STARTED])
def test_the_examples_are_callbacks(example: dict[str, Any]) -> None:
    Callback.model_validate(example, strict=True)


def test_the_headers_are_those_that_are_sent() -> None:
    parameters = describe_webhooks(REF)["callback"]["post"]["parameters"]
    signed = sign([b"secret"], "id", NOW, b"{}")
    assert {told["name"] for told in parameters} == {"Idempotency-Key", *signed}


async def test_the_description_has_them(api: Api) -> None:
    content = (await api.send("GET", "/openapi.json", None)).json()
    assert content["openapi"].startswith("3.1")
    body = content["webhooks"]["callback"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/Callback"}
    assert content["components"]["schemas"]["Callback"]["additionalProperties"] is False
    assert {"CallbackData", "LegShown"} <= set(content["components"]["schemas"])
