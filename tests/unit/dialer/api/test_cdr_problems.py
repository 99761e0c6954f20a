"""Examples of errors are errors as they are answered."""

import pytest

from dialer.api import cdr_problems, ozonetel, pbx_cdr
from dialer.api.answers import ApiError, answer
from dialer.api.cdr_problems import ReportProblem
from dialer.api.problems import Problem


@pytest.mark.parametrize("problem", cdr_problems.UCID, ids=lambda problem: problem.name)
def test_errors_of_reports(problem: ReportProblem) -> None:
    kind = ozonetel.ReportError if problem.argument else ApiError
    written = ozonetel.write_error(kind(problem.status, problem.message))
    assert (written.status_code, written.body) == (problem.status, answer(problem.content).body)


@pytest.mark.parametrize("problem", cdr_problems.PBX, ids=lambda problem: problem.name)
def test_errors_of_the_pbx(problem: Problem) -> None:
    written = pbx_cdr.write_error(ApiError(problem.status, problem.message))
    assert (written.status_code, written.body) == (problem.status, answer(problem.content).body)
