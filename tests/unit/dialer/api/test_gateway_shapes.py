"""The gateway's description fits what it answers."""

from typing import Any

import pytest
from pydantic import ValidationError

from dialer.api import gateway_shapes as shapes
from dialer.api.schemas import Shape
from tests.unit.dialer.api.conftest import Api


@pytest.mark.parametrize("body", [shapes.CDR, shapes.SMALL_CDR])
async def test_the_requests_shown_are_taken_and_the_answers_fit(
    api: Api, body: dict[str, Any]
) -> None:
    for key, path in (("alpha", "/cdrtosgapi"), ("beta", "/cdrtosgapi/outbound_sales")):
        answer = await api.send("PUT", path, key, json=body)
        assert answer.status_code == 200, answer.text
        shapes.CreatedAnswer.model_validate(answer.json())
        shown = await api.send("GET", f"/cdrtosgapi/{body['uuid']}", key)
        shapes.TaskAnswer.model_validate(shown.json())
        again = await api.send("PUT", path, key, json=body)
        shapes.GatewayErrorAnswer.model_validate(again.json())


@pytest.mark.parametrize("problem", [*shapes.KEYED, *shapes.BAD_CDR, *shapes.NO_TASK])
def test_the_errors_shown_fit(problem: shapes.GatewayProblem) -> None:
    shapes.GatewayErrorAnswer.model_validate(problem.content)
    assert problem.content["error"]["code"] == problem.name.split()[0]


async def test_an_error_is_as_it_is_shown(api: Api) -> None:
    answer = await api.send("PUT", "/cdrtosgapi", json={**shapes.CDR, "uuid": "x"})
    (shown,) = (problem for problem in shapes.BAD_CDR if problem.code == "INVALID_UUID")
    assert answer.status_code == shown.status
    assert answer.json()["error"] == shown.content["error"]


@pytest.mark.parametrize(
    ("model", "content"),
    [
        (shapes.CreatedAnswer, {**shapes.CREATED, "message": "x"}),
        (shapes.CreatedAnswer, {"status": "success", "data": {}}),
        (shapes.TaskAnswer, {"status": "success", "data": shapes.TASK["data"] | {"state": "x"}}),
        (shapes.GatewayErrorAnswer, {"message": "Not found", "status": "error"}),
    ],
)
def test_what_is_not_described_does_not_fit(model: type[Shape], content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(content)
