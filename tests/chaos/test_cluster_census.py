"""What several witnesses saw, put together by time."""

from math import inf

import pytest

from chaos.cluster.census import (
    Blindness,
    Peak,
    Span,
    count_rate,
    find_blindness,
    find_busiest_second,
    find_flow,
    find_longest_silence,
    find_peak,
    find_takeover,
    find_told,
    group,
    merge_wires,
    read_spans,
    read_starts,
)
from chaos.records import Login, Loss, Originate, Told, Wire


def originate(at: float, name: str, connection: int = 1, account: str = "acme") -> Originate:
    return Originate(at, connection, name, f"action-{name}", "7001", account=account)


def wire(
    originates: tuple[Originate, ...] = (),
    ended: tuple[Told, ...] = (),
    gone: tuple[Told, ...] = (),
    logins: tuple[Login, ...] = (),
    losses: tuple[Loss, ...] = (),
    began: tuple[str, ...] | None = None,
) -> Wire:
    names = [o.channel_id for o in originates] if began is None else began
    return Wire(
        originates,
        (),
        ended,
        logins,
        0,
        losses,
        tuple(Told(0.0, name) for name in names),
        gone,
    )


def test_starts_of_all_servers_come_by_time_and_whole_ones_alone() -> None:
    torn = Originate(3.0, 1, "c", "x", "7001", whole=False)
    wires = {
        "pbx1": wire((originate(1.0, "A"), originate(4.0, "d"), torn)),
        "pbx2": wire((originate(2.0, "b", account="beta"),)),
    }
    starts = read_starts(wires)
    assert [(s.channel_id, s.server, s.account) for s in starts] == [
        *(("a", "pbx1", "acme"), ("b", "pbx2", "beta"), ("d", "pbx1", "acme")),
    ]


def test_a_call_ends_when_the_first_of_the_witnesses_saw_it() -> None:
    seen = wire(
        (originate(1.0, "A"), originate(1.0, "b"), originate(1.0, "c"), originate(1.0, "never")),
        ended=(Told(5.0, "a"),),
        gone=(Told(4.5, "A"), Told(6.0, "b")),
        began=("a", "b", "c"),
    )
    assert read_spans({"pbx1": seen}) == [
        Span("a", "pbx1", "acme", 1.0, 4.5),
        Span("b", "pbx1", "acme", 1.0, 6.0),
        Span("c", "pbx1", "acme", 1.0, inf),
    ]
    assert find_told({"pbx1": seen}) == {"a": 5.0}


def test_calls_end_with_their_asterisk() -> None:
    seen = wire((originate(1.0, "a"), originate(2.0, "b"), originate(6.0, "c")), (Told(3.0, "a"),))
    ends = [span.end for span in read_spans({"pbx1": seen}, (("pbx2", 2.5), ("pbx1", 4.0)))]
    assert ends == [3.0, 4.0, inf]


def test_the_most_calls_at_one_moment() -> None:
    def span(begin: float, end: float) -> Span:
        return Span("x", "pbx1", "acme", begin, end)

    assert find_peak([]) == Peak(0, 0.0)
    assert find_peak([span(1, 3), span(3, 5)]).most == 1
    assert find_peak([span(1, 3), span(2, 5), span(2.5, inf)]) == Peak(3, 2.5)


@pytest.mark.parametrize(
    ("times", "most", "at"),
    [
        ([], 0, 0.0),
        ([1.0, 2.0], 1, 1.0),
        ([1.0, 1.5, 1.999], 3, 1.0),
        ([1.0, 1.9, 2.1, 2.2], 3, 1.9),
    ],
)
def test_the_busiest_second(times: list[float], most: int, at: float) -> None:
    assert find_busiest_second(times) == Peak(most, at)


def test_times_in_which_nobody_was_told() -> None:
    seen = wire(
        logins=(Login(1.0, 1), Login(5.0, 2), Login(8.0, 3)),
        losses=(Loss(3.0, 1, "dialer"), Loss(9.0, 2, "asterisk"), Loss(10.0, 3, "dialer")),
    )
    assert find_blindness({"pbx1": seen}, 12.0) == [
        Blindness("pbx1", -inf, 1.0),
        Blindness("pbx1", 3.0, 5.0),
        Blindness("pbx1", 10.0, 12.0),
        *(Blindness("pbx1", at, at) for at in (1.0, 5.0, 8.0)),
    ]


def test_rates_silences_and_flows() -> None:
    times = [0.0, 0.1, 0.2, 5.0, 5.5, 6.0, 6.4, 6.8]
    assert count_rate(times, 5.0, 7.0) == 2.5
    assert find_longest_silence(times, 0.05, 9.0) == pytest.approx(4.8)
    assert find_longest_silence(times, 6.9, 9.0) == pytest.approx(2.1)
    assert find_flow(times, 0.15, 3) == pytest.approx(5.35)
    assert find_flow(times, 0.15, 4) is None


def test_a_takeover_is_the_first_call_on_a_later_connection() -> None:
    seen = wire(
        (originate(9.9, "a", 1), originate(10.1, "b", 1), originate(17.0, "c", 2)),
        logins=(Login(1.0, 1), Login(16.0, 2)),
    )
    assert find_takeover(seen, 10.0, 20.0) == 7.0
    assert find_takeover(seen, 16.5, 20.0) is None
    assert find_takeover(seen, 10.0, 15.0) is None


def test_one_wire_of_all_keeps_connections_apart() -> None:
    one = wire((originate(2.0, "a", 1),), logins=(Login(1.0, 1),), losses=(Loss(3.0, 1, "x"),))
    two = wire((originate(1.0, "b", 1),), logins=(Login(0.5, 1),))
    merged = merge_wires({"pbx1": one, "pbx2": two})
    assert [o.channel_id for o in merged.originates] == ["b", "a"]
    assert len({o.connection for o in merged.originates}) == 2
    assert {login.connection for login in merged.logins} == {
        o.connection for o in merged.originates
    }
    assert merged.most_live == 2


def test_groups_keep_their_order() -> None:
    assert group([3, 1, 4, 2], lambda n: "odd" if n % 2 else "even") == {
        "odd": [3, 1],
        "even": [4, 2],
    }
