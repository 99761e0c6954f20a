"""Every route is described, and says what it can answer."""

from dialer.api.app import ROUTES
from dialer.api.operations import OPERATIONS


def test_every_route_is_described_and_nothing_else() -> None:
    handlers = {route.handler.__name__ for route in ROUTES} | {"show_health", "show_readiness"}
    assert set(OPERATIONS) == handlers


def test_the_answers_shown_fit() -> None:
    for name, operation in OPERATIONS.items():
        assert operation.answer.model_validate(dict(operation.example)), name


def test_a_body_comes_with_examples_and_errors_about_it() -> None:
    for route in ROUTES:
        operation = OPERATIONS[route.handler.__name__]
        statuses = {problem.status for problem in operation.errors}
        assert (operation.body is not None) is (route.method in ("POST", "PUT"))
        assert bool(operation.requests) is (operation.body is not None)
        assert ({400, 409, 413, 415} <= statuses) is (operation.body is not None)


def test_examples_of_one_status_have_names_of_their_own() -> None:
    for operation in OPERATIONS.values():
        names = [(problem.status, problem.name) for problem in operation.errors]
        assert len(names) == len(set(names))
