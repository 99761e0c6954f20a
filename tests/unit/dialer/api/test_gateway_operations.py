"""Every route of the gateway is described, and says what it can answer."""

from dialer.api.app import GATEWAY_ROUTES
from dialer.api.gateway_operations import GATEWAY_OPERATIONS


def test_every_route_is_described_and_nothing_else() -> None:
    assert set(GATEWAY_OPERATIONS) == {route.handler.__name__ for route in GATEWAY_ROUTES}


def test_the_answers_shown_fit() -> None:
    for operation in GATEWAY_OPERATIONS.values():
        operation.answer.model_validate(dict(operation.example))
        for problem in operation.errors:
            operation.failure.model_validate(problem.content)


def test_examples_of_one_status_have_names_of_their_own() -> None:
    for operation in GATEWAY_OPERATIONS.values():
        names = [(problem.status, problem.name) for problem in operation.errors]
        assert len(names) == len(set(names))


def test_each_says_what_the_document_says_of_it() -> None:
    statuses = {
        name: {problem.status for problem in operation.errors}
        for name, operation in GATEWAY_OPERATIONS.items()
    }
    assert statuses["put_cdr"] == statuses["put_entity_cdr"] > {400, 401, 409, 422, 500, 503}
    assert statuses["show_task"] > {400, 401, 404, 500}
