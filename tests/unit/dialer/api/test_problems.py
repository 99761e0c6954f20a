"""Examples of errors are errors as they are answered."""

from dialer.api import problems
from dialer.api.answers import answer, answer_error, from_refused
from dialer.api.schemas import ErrorAnswer
from dialer.errors import FieldError, Refused
from dialer.items import NO_SERVER


def test_every_example_has_the_error_format_and_a_status_with_a_meaning() -> None:
    shown = [
        problem
        for group in vars(problems).values()
        if isinstance(group, tuple)
        for problem in group
    ]
    assert len(shown) > 20
    for problem in shown:
        ErrorAnswer.model_validate(problem.content)
        assert problem.status in problems.STATUSES


def test_a_wrong_field_is_shown_as_it_is_answered() -> None:
    refused = from_refused(Refused([FieldError("action.Channel", "Field required", 3)]))
    shown = problems.wrong("any", "action.Channel", "Field required", 3).content
    assert answer_error(refused).body == answer_error_of(shown)


def test_an_unknown_server_is_shown_as_it_is_answered() -> None:
    refused = from_refused(Refused([FieldError("asterisk_server_code", NO_SERVER, 0)]))
    shown = next(one for one in problems.BAD_BATCH if one.name == "no_server")
    assert refused.status == shown.status
    assert answer_error(refused).body == answer_error_of(shown.content)


def test_the_statuses_of_a_route_come_in_order() -> None:
    found = problems.by_status([*problems.WITH_BODY, *problems.NOWHERE])
    assert list(found) == [400, 405, 409, 413, 415, 500]
    assert [one.name for one in found[415]] == ["type", "encoding"]


def answer_error_of(content: dict[str, object]) -> bytes:

    return bytes(answer(content).body)
