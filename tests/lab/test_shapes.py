"""Callbacks of every shape from the real Asterisk: what is pushed is the record that would be read,
whatever came of the call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dialer.dialects import Shape, Source, View
from dialer.dialects.ozonetel import write_report_row
from dialer.dialects.pbx import write_pbx
from dialer.dialects.v2_default import write_default
from dialer.dialects.v2_flex import write_flex
from tests.lab.outcomes import ALL, EXPIRED, call_all
from tests.lab.running_lab import Lab
from tests.shapes import find_differences

pytestmark = pytest.mark.lab

WRITERS: dict[Shape, tuple[str, Callable[[Source, View], dict[str, Any]]]] = {
    Shape.DEFAULT: ("v2_default", write_default),
    Shape.FLEX: ("v2_flex", write_flex),
    Shape.OZONETEL: ("ozonetel_details", write_report_row),
    Shape.PBX: ("pbx", write_pbx),
}


async def test_every_outcome_in_every_shape(lab: Lab, tmp_path: Path) -> None:
    told = await call_all(lab, tmp_path, list(Shape))
    assert len(told) == len(Shape) * len(ALL)
    for call in told:
        if call.outcome is EXPIRED:
            assert call.cdr is None
            continue
        assert call.cdr is not None
        assert call.view is not None
        assert (call.outcome.name, call.cdr.disposition) == (
            call.outcome.name,
            call.outcome.disposition,
        )
        if call.shape is Shape.NATIVE:
            assert call.pushed["cdr_id"] == call.cdr.cdr_id
            continue
        shape, write = WRITERS[call.shape]
        assert find_differences(call.pushed, shape) == []
        assert list(call.pushed.items()) == list(write(call.cdr, call.view).items())
