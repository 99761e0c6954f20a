"""Dispositions: the table of the product, row by row, and where its rows meet."""

import pytest

from ami.causes import (
    EMPTY_CAUSES,
    Disposition,
    Evidence,
    cause_of_sip,
    cause_text,
    decide_disposition,
)

D = Disposition
CASES: list[tuple[Evidence, Disposition]] = [
    (Evidence(answered=True), D.ANSWERED),
    (Evidence(answered=True, cause=17, sip_code=486, cancelled=True, certain=False), D.ANSWERED),
    (Evidence(cause=17), D.BUSY),
    (Evidence(cause=17, sip_code=486), D.BUSY),
    (Evidence(cause=17, sip_code=600), D.BUSY),
    (Evidence(cause=0, sip_code=486), D.BUSY),
    (Evidence(cause=21, sip_code=603), D.BUSY),
    (Evidence(cause=21), D.BUSY),
    (Evidence(cause=21, sip_code=403), D.FAILED),
    (Evidence(cause=21, sip_code=401), D.FAILED),
    (Evidence(sip_code=403), D.FAILED),
    (Evidence(cause=19, rang=True), D.NO_ANSWER),
    (Evidence(cause=19, sip_code=480, rang=True), D.NO_ANSWER),
    (Evidence(cause=19), D.NOT_AVAILABLE),
    (Evidence(cause=19, sip_code=480), D.NOT_AVAILABLE),
    (Evidence(sip_code=480), D.NOT_AVAILABLE),
    (Evidence(reason=3, cause=0, rang=True), D.NO_ANSWER),
    (Evidence(reason=3, rang=True), D.NO_ANSWER),
    (Evidence(reason=3, cause=19, sip_code=480), D.NOT_AVAILABLE),
    (Evidence(reason=3, cause=38), D.NOT_AVAILABLE),
    (Evidence(reason=3, cause=17), D.BUSY),
    (Evidence(cause=18, sip_code=408), D.NOT_AVAILABLE),
    (Evidence(cause=18, rang=True), D.NOT_AVAILABLE),
    (Evidence(cause=20), D.NOT_AVAILABLE),
    (Evidence(cause=1, sip_code=404), D.INVALID),
    (Evidence(cause=1, rang=True), D.INVALID),
    (Evidence(cause=22), D.INVALID),
    (Evidence(cause=28, sip_code=484), D.INVALID),
    (Evidence(sip_code=604), D.INVALID),
    (Evidence(cause=34, sip_code=503), D.CONGESTION),
    (Evidence(cause=42), D.CONGESTION),
    (Evidence(reason=8, cause=34), D.CONGESTION),
    (Evidence(reason=5), D.BUSY),
    (Evidence(reason=5, cause=0), D.BUSY),
    (Evidence(reason=8, cause=16), D.CONGESTION),
    (Evidence(reason=5, cause=1, sip_code=404), D.INVALID),
    (Evidence(reason=5, cause=38), D.FAILED),
    (Evidence(dial_status="BUSY"), D.BUSY),
    (Evidence(dial_status="CONGESTION", cause=0), D.CONGESTION),
    (Evidence(dial_status="NOANSWER"), D.FAILED),
    (Evidence(cancelled=True, cause=0, rang=True), D.CANCEL),
    (Evidence(cancelled=True, cause=16), D.CANCEL),
    (Evidence(cancelled=True, cause=26), D.CANCEL),
    (Evidence(cancelled=True, cause=127, sip_code=487), D.CANCEL),
    (Evidence(cancelled=True, cause=19), D.CANCEL),
    (Evidence(cancelled=True, cause=17, sip_code=486), D.BUSY),
    (Evidence(cancelled=True, cause=19, sip_code=480, rang=True), D.NO_ANSWER),
    (Evidence(cancelled=True, reason=3, cause=0, rang=True), D.NO_ANSWER),
    (Evidence(cancelled=True, cause=21, sip_code=403), D.FAILED),
    (Evidence(cancelled=True, channel_seen=False), D.FAILED),
    (Evidence(channel_seen=False, reason=0), D.FAILED),
    (Evidence(cause=0, reason=0, dial_status="NOANSWER"), D.FAILED),
    (Evidence(cause=16), D.FAILED),
    (Evidence(cause=38, sip_code=500), D.FAILED),
    (Evidence(cause=58, sip_code=488), D.FAILED),
    (Evidence(cause=127, sip_code=499), D.FAILED),
    (Evidence(cause=999), D.FAILED),
    (Evidence(certain=False, rang=True), D.UNKNOWN),
    (Evidence(certain=False, cause=17), D.UNKNOWN),
]


@pytest.mark.parametrize(("evidence", "expected"), CASES, ids=str)
def test_disposition(evidence: Evidence, expected: Disposition) -> None:
    assert decide_disposition(evidence) is expected


@pytest.mark.parametrize(
    ("sip_code", "cause"),
    [
        (180, None), (200, None), (302, 23), (399, 16), (401, 21), (403, 21), (404, 1), (407, 21),
        (408, 18), (410, 22), (480, 19), (483, 19), (484, 28), (485, 1), (486, 17), (487, 127),
        (488, 58), (499, 127), (500, 38), (502, 27), (503, 34), (504, 102), (599, 34), (600, 17),
        (603, 21), (604, 1), (606, 58), (699, 127),
    ],
)  # fmt: skip
def test_cause_of_sip(sip_code: int, cause: int | None) -> None:
    assert cause_of_sip(sip_code) == cause


def test_cause_texts_are_asterisks() -> None:
    assert cause_text(17) == "User busy"
    assert cause_text(19) == "User alerting, no answer"
    assert cause_text(77) == "Cause 77"


def test_empty_causes_decide_nothing() -> None:
    decided = {decide_disposition(Evidence(cause=cause)) for cause in EMPTY_CAUSES}
    assert decided == {D.FAILED}
