"""The checker of campaigns with several workers finds everything that it is there for, and nothing
in a campaign that went right."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.cluster.census import merge_wires
from chaos.cluster.checker import check
from chaos.cluster.database import Lifetime
from chaos.cluster.harm import Harm
from chaos.cluster.records import Limit, Round, Sighting
from chaos.cluster.report import count_lines, describe
from chaos.records import (
    Attempt,
    CdrRow,
    Evidence,
    Item,
    Login,
    Loss,
    Originate,
    Probe,
    Rows,
    Sink,
    Told,
    Wire,
)

SECONDS = 60
"""Calls of the first server are a second apart, and half a second long; the worker dies after the
30th, and the next one begins 8 s later. The second server has a call at every half second."""


def wire_of(server: int, times: list[float]) -> Wire:
    def name(number: int) -> str:
        return f"call-{server}-{number}"

    died = 30.2 if server == 1 else 1000.0
    connections = [1 if at < died else 2 for at in times]
    return Wire(
        originates=tuple(
            Originate(
                *(at, connection, name(n), f"act-{server}-{n}", f"7{server}{n:03d}"), account="acme"
            )
            for n, (at, connection) in enumerate(zip(times, connections, strict=True))
        ),
        answered=(),
        ended=tuple(Told(at + 0.4, name(n)) for n, at in enumerate(times)),
        logins=(Login(0.0, 1), *([Login(38.0, 2)] if server == 1 else [])),
        most_live=1,
        losses=(Loss(30.2, 1, "dialer"),) if server == 1 else (),
        began=tuple(Told(at + 0.01, name(n)) for n, at in enumerate(times)),
        gone=tuple(Told(at + 0.41, name(n)) for n, at in enumerate(times)),
    )


WIRES = {
    "pbx1": wire_of(1, [float(n) for n in range(1, SECONDS) if not 30 < n < 39]),
    "pbx2": wire_of(2, [n + 0.5 for n in range(SECONDS)]),
}
ALL = [o for wire in WIRES.values() for o in wire.originates]
LOST = next(o.channel_id for o in WIRES["pbx1"].originates if o.at == 30.0)
"""Open when its worker died."""


def build() -> Sighting:
    numbers = tuple(o.number for o in ALL)
    words = {o.channel_id: "unknown" if o.channel_id == LOST else "answered" for o in ALL}
    ids = {f"cdr-{o.channel_id}": 1 for o in ALL}
    whole = Evidence(
        accepted=numbers,
        wire=merge_wires(WIRES),
        rang=numbers,
        callbacks=Sink(ids),
        sgapi=Sink(ids),
        rows=Rows(
            items=tuple(Item(n, number, "processed", 1) for n, number in enumerate(numbers)),
            attempts=tuple(
                Attempt(n, o.number, o.channel_id, f"cdr-{o.channel_id}", "ended")
                for n, o in enumerate(ALL)
            ),
            cdrs=tuple(
                CdrRow(f"cdr-{o.channel_id}", o.channel_id, o.number, words[o.channel_id], True)
                for o in ALL
            ),
            held={},
        ),
        kills=(),
        cuts=(),
        probe=Probe(2, 2),
        live_at_end=0,
        cap=2,
        exit_status=0,
    )
    server_of = {o.channel_id: code for code, wire in WIRES.items() for o in wire.originates}
    harm = Harm("kill -9", 30.2, 30.2, (("pbx1", 30.2),), takeover=True)
    return Sighting(
        whole=whole,
        wires=WIRES,
        lifetimes={
            o.channel_id: Lifetime(
                server_of[o.channel_id], o.at, 40.0 if o.channel_id == LOST else o.at + 0.4
            )
            for o in ALL
        },
        reasons=("nothing was left of it",),
        clients={"acme": Limit(2, 2.0)},
        servers={"pbx1": Limit(1, 1.0), "pbx2": Limit(1, 1.0)},
        rounds=(Round("worker-kill", harm, 39.5, (10.0, 20.0), (40.0, 50.0), 50.0),),
        storm=(),
        frozen=(),
        away=(),
        deaths=(),
        disorders=(),
        baseline=(10.0, 20.0),
        rates_until=100.0,
        kept=0.95,
        slack=0.0,
        blur=0.0,
        unasked=(),
        refused=(),
        false_starts=0,
        statuses=(("worker-1", 0),),
        seconds=60.0,
    )


RIGHT = replace(
    build(),
    # It never heard how this one ended.
    wires={
        **WIRES,
        "pbx1": replace(
            WIRES["pbx1"],
            ended=tuple(told for told in WIRES["pbx1"].ended if told.channel_id != LOST),
        ),
    },
)


def test_nothing_is_wrong_with_what_went_right() -> None:
    assert check(RIGHT) == []


def with_round(**changes: object) -> Sighting:
    (only,) = RIGHT.rounds
    return replace(RIGHT, rounds=(replace(only, **changes),))  # type: ignore[arg-type]


def with_whole(**changes: object) -> Sighting:
    return replace(RIGHT, whole=replace(RIGHT.whole, **changes))  # type: ignore[arg-type]


def lose_the_second_server() -> Sighting:
    wire = replace(WIRES["pbx2"], logins=(Login(0.0, 1), Login(50.0, 2)))
    late = replace(RIGHT.rounds[0].harm, left=(("pbx2", 30.0),))
    return replace(
        with_round(harm=late, over=55.0),
        wires={
            **RIGHT.wires,
            "pbx2": replace(
                wire,
                originates=tuple(replace(o, connection=1 + (o.at > 50)) for o in wire.originates),
            ),
        },
    )


def tell_of_lost(at: float) -> Sighting:
    """Its worker had been told how that call ended."""
    wire = RIGHT.wires["pbx1"]
    told = replace(wire, ended=(*wire.ended, Told(at, LOST)))
    return replace(RIGHT, wires={**RIGHT.wires, "pbx1": told})


CASES: dict[str, tuple[Callable[[], Sighting], str]] = {
    "duplicate": (
        lambda: with_whole(
            wire=replace(
                RIGHT.whole.wire,
                originates=(*RIGHT.whole.wire.originates, RIGHT.whole.wire.originates[0]),
            )
        ),
        "ChannelIds originated twice",
    ),
    "channels": (
        lambda: replace(RIGHT, clients={"acme": Limit(0, 2.0)}),
        "client acme: 1 calls at a time, over 0",
    ),
    "rate": (
        lambda: replace(RIGHT, clients={"acme": Limit(2, 1.0)}),
        "client acme: 2 calls in a second, over 1",
    ),
    "server channels": (
        lambda: replace(RIGHT, servers={**RIGHT.servers, "pbx2": Limit(0, 1.0)}),
        "server pbx2: 1 calls at a time, over 0",
    ),
    "foreign": (
        lambda: replace(RIGHT, clients={"beta": Limit(2, 2.0)}),
        "client acme: originates that belong to none",
    ),
    "unknown": (lambda: tell_of_lost(28.1), "unknown without need"),
    "wordless": (lambda: replace(RIGHT, reasons=("",)), "1 unknown whose CDRs do not say why"),
    "slow takeover": (lose_the_second_server, "takeover after 20.5 s"),
    "no takeover": (
        lambda: with_round(harm=replace(RIGHT.rounds[0].harm, left=(("pbx2", 30.0),))),
        "no takeover",
    ),
    "never again": (lambda: with_round(flowing=None), "calls did not go again"),
    "slower": (
        lambda: with_round(after=(31.0, 38.0)),
        "worker-kill: 1.00 calls a second, 2.00 before",
    ),
    "slower for good": (
        lambda: with_round(before=(31.0, 38.0), after=(31.0, 38.0)),
        "1.00 calls a second in peace, 2.00 at the beginning",
    ),
    "disorder": (
        lambda: replace(RIGHT, disorders=("out of order", "out of order")),
        "2 CDRs out of order",
    ),
    "slow redis": (
        lambda: with_round(
            fault="redis-kill", harm=replace(RIGHT.rounds[0].harm, healed=30.4, takeover=False)
        ),
        "calls flow after 8.1 s",
    ),
    "unasked": (lambda: replace(RIGHT, unasked=("worker-1, life 2",)), "ended by themselves"),
    "badly": (lambda: replace(RIGHT, statuses=(("api-1", 1),)), "did not end as asked: api-1 (1)"),
    "refused": (lambda: replace(RIGHT, refused=("400 no",)), "1 batches refused: 400 no"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_found(name: str) -> None:
    make, sentence = CASES[name]
    problems = check(make())
    assert any(sentence in problem for problem in problems), problems


def test_what_was_told_while_the_database_was_away_may_be_forgotten() -> None:
    assert "unknown without need" in " ".join(check(tell_of_lost(28.1)))
    assert check(tell_of_lost(28.3)) == []
    assert check(replace(tell_of_lost(28.1), away=((28.0, 31.0),))) == []


def test_where_the_machine_may_stand_still_there_is_more_time_for_all() -> None:
    late = tell_of_lost(28.1)
    assert check(replace(late, slack=1.0)) == []
    assert check(replace(lose_the_second_server(), slack=6.0)) == []
    assert check(replace(RIGHT, clients={"acme": Limit(2, 1.0)}, blur=0.6)) == []


def test_who_was_told_that_a_call_was_up_knows_it() -> None:
    wire = RIGHT.wires["pbx1"]
    up = replace(wire, answered=(Told(28.1, LOST),))
    seen = replace(RIGHT, wires={**RIGHT.wires, "pbx1": up})
    assert "unknown without need" in " ".join(check(seen))


def test_who_was_frozen_could_not_be_told() -> None:
    blind = replace(
        RIGHT,
        wires={"pbx1": replace(RIGHT.wires["pbx1"], losses=()), "pbx2": WIRES["pbx2"]},
        lifetimes={**RIGHT.lifetimes, LOST: Lifetime("pbx1", 30.0, 36.0)},
        rounds=(),
    )
    assert "unknown without need" in " ".join(check(blind))
    assert check(replace(blind, frozen=(("pbx1", 30.1, 37.0),))) == []


def test_rounds_of_a_kind_are_judged_together() -> None:
    (only,) = RIGHT.rounds
    slow, long = replace(only, after=(31.0, 33.0)), replace(only, after=(10.0, 30.0))
    assert check(replace(RIGHT, rounds=(slow, long))) == []
    assert "calls a second" in " ".join(check(replace(RIGHT, rounds=(slow, only))))


def test_a_round_without_rates_is_judged_by_its_calls_alone() -> None:
    seen = with_round(before=None, after=None)
    assert check(seen) == []
    assert "| - | - | - | - |" in " ".join(describe(seen))
    assert "calls did not go again" in " ".join(check(with_round(before=None, flowing=None)))


def test_the_figures() -> None:
    (line,) = count_lines(RIGHT)
    assert (line.fault, line.count, line.before, line.kept) == ("worker-kill", 1, 2.0, 1.0)
    assert [round(seconds, 3) for seconds in line.takeovers] == [8.8]
    assert line.silence == pytest.approx(1.0)
    assert (
        "| `worker-kill` | 1 | 1.0 s | 8.3 s | 8.8 s | 2.00 | 2.00 | 100 % | 2.00, 2.00 |"
        in describe(RIGHT)
    )
    assert any(text.startswith("acme") and "2 in a second of 2" in text for text in describe(RIGHT))
