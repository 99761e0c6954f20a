"""Every route that gives CDRs is described, and says what it can answer."""

from dialer.api.app import CDR_ROUTES
from dialer.api.cdr_operations import CDR_OPERATIONS
from dialer.api.operations import OPERATIONS
from dialer.api.problems import STATUSES


def test_every_route_is_described_and_nothing_else() -> None:
    assert {route.handler.__name__ for route in CDR_ROUTES} == set(CDR_OPERATIONS)
    assert not set(CDR_OPERATIONS) & set(OPERATIONS)


def test_what_is_shown_fits() -> None:
    for name, operation in CDR_OPERATIONS.items():
        assert operation.answer.model_validate(dict(operation.example)), name
        for problem in operation.errors:
            operation.failure.model_validate(problem.content)
            assert problem.status in STATUSES
        assert {400, 401, 403, 405, 429, 500, 503} <= {one.status for one in operation.errors}


def test_examples_of_one_status_have_names_of_their_own() -> None:
    for operation in CDR_OPERATIONS.values():
        names = [(problem.status, problem.name) for problem in operation.errors]
        assert len(names) == len(set(names))


def test_a_body_comes_with_examples() -> None:
    for operation in CDR_OPERATIONS.values():
        assert bool(operation.requests) is (operation.body is not None)
