"""The checker finds everything that it is there for, and nothing in a campaign that went right."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.checker import check, recoveries, silences, unanswered_at_kills
from chaos.records import (
    Attempt,
    CdrRow,
    Evidence,
    Item,
    Kill,
    Login,
    Loss,
    Originate,
    Probe,
    Rows,
    Sink,
    Told,
    Wire,
)
from chaos.report import count_figures, describe

ORIGINATES = (
    Originate(100.0, 1, "call-a", "act-a", "700"),
    Originate(101.0, 1, "call-b1", "act-b1", "701"),
    Originate(111.0, 2, "call-b2", "act-b2", "701"),
    Originate(101.5, 1, "call-c", "act-c", "702"),
)
ATTEMPTS = (
    Attempt(1, "700", "call-a", "cdr-a", "ended"),
    Attempt(2, "701", "call-b1", "cdr-b1", "ended"),
    Attempt(2, "701", "call-b2", "cdr-b2", "ended"),
    Attempt(3, "702", "call-c", "cdr-c", "ended"),
)
CDRS = (
    CdrRow("cdr-a", "call-a", "700", "answered", True),
    CdrRow("cdr-b1", "call-b1", "701", "busy", False),
    CdrRow("cdr-b2", "call-b2", "701", "answered", True),
    CdrRow("cdr-c", "call-c", "702", "unknown", True),
)
IDS = {"cdr-a": 1, "cdr-b1": 2, "cdr-b2": 1, "cdr-c": 1}

RIGHT = Evidence(
    accepted=("700", "701", "702"),
    wire=Wire(
        originates=ORIGINATES,
        answered=(Told(100.5, "call-a"), Told(111.5, "call-b2")),
        ended=(Told(101.1, "call-b1"), Told(113.0, "call-b2")),
        logins=(Login(99.9, 1), Login(110.5, 2), Login(120.0, 3)),
        most_live=3,
    ),
    rang=("700", "701", "702", "701"),
    callbacks=Sink(IDS),
    sgapi=Sink(IDS),
    rows=Rows(
        items=(
            Item(1, "700", "processed", 1),
            Item(2, "701", "processed", 2),
            Item(3, "702", "processed", 1),
        ),
        attempts=ATTEMPTS,
        cdrs=CDRS,
        held={"items": 0, "attempts": 0, "deliveries": 0},
    ),
    kills=(Kill(102.0, "worker.originate.after", 12, 102.0),),
    cuts=(),
    probe=Probe(50, 50),
    live_at_end=0,
    cap=50,
    exit_status=0,
)


def test_a_campaign_that_went_right_is_not_blamed() -> None:
    assert check(RIGHT) == []
    assert unanswered_at_kills(RIGHT) == {"call-c"}
    assert recoveries(RIGHT) == pytest.approx([0.1, 0.5])


def rows(evidence: Evidence, **changes: object) -> Evidence:
    return replace(evidence, rows=replace(evidence.rows, **changes))  # type: ignore[arg-type]


def wire(evidence: Evidence, **changes: object) -> Evidence:
    return replace(evidence, wire=replace(evidence.wire, **changes))  # type: ignore[arg-type]


def originated(*more: Originate) -> Evidence:
    return wire(RIGHT, originates=ORIGINATES + more)


def judged(cdr: int, disposition: str) -> Evidence:
    cdrs = list(CDRS)
    cdrs[cdr] = replace(cdrs[cdr], disposition=disposition)
    return rows(RIGHT, cdrs=tuple(cdrs))


WRONG: dict[str, Callable[[], Evidence]] = {
    "1 accepted and not stored: 703": lambda: replace(RIGHT, accepted=("700", "701", "702", "703")),
    "1 stored more often than accepted: 702": lambda: replace(RIGHT, accepted=("700", "701")),
    "1 not ended: 702 (queued)": lambda: rows(
        RIGHT, items=(*RIGHT.rows.items[:2], Item(3, "702", "queued", 1))
    ),
    "1 processed without a final CDR: 700": lambda: rows(
        RIGHT, cdrs=(replace(CDRS[0], final=False), *CDRS[1:])
    ),
    "1 more final CDRs than one: 701": lambda: rows(
        RIGHT, cdrs=(CDRS[0], replace(CDRS[1], final=True), *CDRS[2:])
    ),
    "1 ChannelIds originated twice: call-a": lambda: originated(
        Originate(112.0, 2, "CALL-A", "act-x", "700")
    ),
    "1 ActionIDs used twice: act-a": lambda: originated(
        Originate(112.0, 2, "call-x", "act-a", "700")
    ),
    "1 originated without an attempt on disk: call-x": lambda: originated(
        Originate(112.0, 2, "call-x", "act-x", "700")
    ),
    "1 originated to another number than the attempt's: call-a": lambda: wire(
        RIGHT, originates=(replace(ORIGINATES[0], number="701"), *ORIGINATES[1:])
    ),
    "1 rang more often than they have attempts: 700": lambda: replace(
        RIGHT, rang=(*RIGHT.rang, "700")
    ),
    "1 attempts without a CDR: cdr-b1": lambda: rows(RIGHT, cdrs=(CDRS[0], *CDRS[2:])),
    "1 CDRs without an attempt: cdr-c": lambda: rows(RIGHT, attempts=ATTEMPTS[:3]),
    "1 CDRs that did not reach callbacks: cdr-a": lambda: replace(
        RIGHT, callbacks=Sink({"cdr-b1": 1, "cdr-b2": 1, "cdr-c": 1})
    ),
    "1 CDRs that did not reach SGAPI: cdr-a": lambda: replace(
        RIGHT, sgapi=Sink({"cdr-b1": 1, "cdr-b2": 1, "cdr-c": 1})
    ),
    "1 ids at SGAPI that no CDR has: cdr-x": lambda: replace(RIGHT, sgapi=Sink(IDS | {"cdr-x": 1})),
    "attempts at the end: 2": lambda: rows(RIGHT, held={"attempts": 2}),
    "calls live at the end: 1": lambda: replace(RIGHT, live_at_end=1),
    "slots kept: 49 calls at a time, of 50": lambda: replace(RIGHT, probe=Probe(50, 49)),
    "51 calls at a time, over 50": lambda: wire(RIGHT, most_live=51),
    "2 unknown, 1 sent and unanswered at a kill": lambda: judged(0, "unknown"),
    "1 unknown, though not unanswered at any kill: call-a": lambda: judged(0, "unknown"),
    "1 times over 2 s from login to a new Originate: 2.50 s": lambda: wire(
        RIGHT, logins=(Login(99.9, 1), Login(108.5, 2))
    ),
    "1 connections without an Originate: 2.10 s": lambda: wire(
        RIGHT, losses=(Loss(RIGHT.wire.logins[2].at + 2.1, 3, "dialer"),)
    ),
    "the last life ended with 1": lambda: replace(RIGHT, exit_status=1),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_is_wrong_is_said(sentence: str) -> None:
    assert sentence in check(WRONG[sentence]())


def test_an_originate_that_was_cut_off_rings_nowhere() -> None:
    cut = Originate(101.9, 1, "call-", "", "", whole=False)
    assert check(originated(cut)) == []


def test_what_never_left_may_be_unknown_once_a_kill() -> None:
    unsent = wire(RIGHT, originates=ORIGINATES[:3])
    unsent = replace(unsent, rang=("700", "701", "701"))
    sent = Originate(101.9, 1, "call-d", "act-d", "702")
    assert check(originated(sent)) == ["1 originated without an attempt on disk: call-d"]
    assert check(unsent) == ["1 unknown, 0 sent and unanswered at a kill"]
    assert "1 unknown that never left, 0 kills" in check(replace(unsent, kills=()))


def test_a_stopped_dialer_does_not_know_what_it_was_told_meanwhile() -> None:
    stopped = replace(RIGHT, kills=(Kill(120.0, "at random", 12, 111.6),))
    assert unanswered_at_kills(stopped) == {"call-b2", "call-c"}
    killed = replace(RIGHT, kills=(Kill(120.0, "at random", 12, 120.0),))
    assert unanswered_at_kills(killed) == {"call-c"}


def test_the_first_kill_after_an_originate_decides() -> None:
    again = (*RIGHT.kills, Kill(130.0, "at random", 11, 130.0))
    assert unanswered_at_kills(replace(RIGHT, kills=again)) == {"call-c"}
    before = (Kill(99.0, "at random", 11, 99.0),)
    assert unanswered_at_kills(replace(RIGHT, kills=before)) == set()


def test_a_cut_link_is_as_a_kill() -> None:
    cut = replace(RIGHT, kills=(), cuts=(111.4,))
    assert unanswered_at_kills(cut) == {"call-b2", "call-c"}
    assert count_figures(cut, 1.0).cuts == 1


def test_of_a_time_that_was_disturbed_each_peaceful_part_counts() -> None:
    late = wire(RIGHT, logins=(Login(99.9, 1), Login(105.5, 2)))
    assert recoveries(late) == pytest.approx([0.1, 5.5])
    frozen = replace(late, disturbed=((106.0, 109.6), (90.0, 95.0), (112.0, 113.0)))
    assert recoveries(frozen) == pytest.approx([0.1, 1.4])
    assert check(frozen) == []
    soon_well = replace(late, disturbed=((106.0, 108.0), (106.5, 107.0)))
    assert recoveries(soon_well) == pytest.approx([0.1, 3.0])
    slow_before = replace(late, disturbed=((108.0, 110.9),))
    assert "1 times over 2 s from login to a new Originate: 2.50 s" in check(slow_before)


def test_a_connection_without_an_originate_is_silent_until_it_ends() -> None:
    assert silences(RIGHT) == []
    lost = wire(RIGHT, losses=(Loss(119.0, 2, "asterisk"), Loss(126.0, 3, "asterisk")))
    assert silences(lost) == pytest.approx([6.0])
    assert silences(replace(lost, cuts=(119.9, 124.0))) == pytest.approx([4.0])
    killed = replace(lost, kills=(*RIGHT.kills, Kill(121.5, "at random", 12, 121.5)))
    assert silences(killed) == pytest.approx([1.5])
    assert check(killed) == []
    stopped = replace(lost, disturbed=((121.0, 125.0),))
    assert silences(stopped) == pytest.approx([1.0])


def test_figures_count_what_the_checker_finds() -> None:
    figures = count_figures(RIGHT, 60.0)
    assert (figures.kills, figures.uncounted, figures.calls, figures.items) == (1, 0, 4, 3)
    assert (figures.duplicates, figures.lost, figures.repeated) == (0, 0, 2)
    assert figures.dispositions["unknown"] == figures.unanswered == 1
    said = "unknown        1 (0 of them never left; sent and unanswered at a kill were 1)"
    assert said in describe(figures)
    few = replace(RIGHT, kills=(replace(RIGHT.kills[0], in_flight=9),))
    assert (count_figures(few, 60.0).kills, count_figures(few, 60.0).uncounted) == (0, 1)
    twice = originated(Originate(112.0, 2, "call-a", "act-x", "700"))
    assert count_figures(replace(twice, callbacks=Sink({})), 60.0).duplicates == 1
    assert count_figures(replace(twice, callbacks=Sink({})), 60.0).lost == 4
