"""Answers that are not as described do not fit."""

from typing import Any

import pytest
from pydantic import ValidationError

from dialer.api import cdr_examples as examples
from dialer.api import cdr_schemas as schemas
from dialer.api.schemas import Shape
from dialer.dialects.ozonetel import Report

REPORT = examples.show_report(Report.DETAILS)
FAILED = {"has_error": True, "messages": ["Invalid filter: x"], "pagination": [], "results": []}


@pytest.mark.parametrize(
    ("model", "content", "change"),
    [
        (schemas.TokenAnswer, examples.TOKEN, {"token_type": "Basic"}),
        (schemas.CdrList, examples.CDRS, {"total": None}),
        (schemas.CdrList, examples.CDRS, {"pages": 1}),
        (schemas.ReportAnswer, REPORT, {"status": "fail"}),
        (schemas.ReportAnswer, REPORT, {"totalCount": 1}),
        (schemas.PaginatedReport, examples.show_report(Report.PAGINATED), {"totalCount": -1}),
        (schemas.ReportFailure, {"status": "false", "message": "x"}, {"status": "error"}),
        (schemas.PbxAnswer, examples.FOUND, {"messages": None}),
        (schemas.PbxAnswer, FAILED, {"pagination": [1]}),
        (schemas.PbxAnswer, FAILED, {"pagination": {}}),
    ],
)
def test_what_is_not_described_does_not_fit(
    model: type[Shape], content: dict[str, Any], change: dict[str, Any]
) -> None:
    model.model_validate(content)
    with pytest.raises(ValidationError):
        model.model_validate(content | change)
