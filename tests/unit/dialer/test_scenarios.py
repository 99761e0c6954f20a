"""Scenario files: what they mean, and the one sentence for each that is wrong."""

from pathlib import Path

import pytest

from ami.simulator.faults import Disorder, Ending, Flood, Interruption, Loss, Slowness, When
from dialer.scenarios import ScenarioInvalid, parse_scenario, read_scenario

EXAMPLE = Path(__file__).parents[3] / "examples" / "evening.toml"


def test_the_example() -> None:
    config = read_scenario(EXAMPLE, 7)
    assert (config.max_calls, config.max_cps, config.seed) == (500, 60, 7)
    assert config.faults == (
        Interruption(Ending.CUT, When(at_call=100), 2.0),
        Interruption(Ending.RESTART, When(at_call=250), 3.0),
        Loss("Hangup", 50),
        Disorder(0.1, 0.02),
        Flood(When(every_calls=200), 3000),
        Slowness(When(at_second=60.0), 1.5, 10.0),
    )
    assert config.far_end is not None
    assert config.far_end("5513", False).did == "unallocated"
    mobiles = {config.far_end(f"91{n}1", False).did for n in range(200)}
    assert mobiles == {"answer", "ring", "busy", "unavailable", "congestion"}
    assert {config.far_end(f"7{n}", True).did for n in range(100)} == {"answer", "busy"}
    assert config.far_end("70", True).wait == 1.0


@pytest.mark.parametrize("path", sorted(EXAMPLE.parent.glob("*.toml")), ids=lambda p: p.stem)
def test_every_example_can_be_played(path: Path) -> None:
    assert read_scenario(path, 0).faults


def test_nothing_said_is_the_number_table() -> None:
    config = parse_scenario("", "x", 0)
    assert config.far_end is not None
    assert config.far_end("5501", False).did == "busy"
    assert (config.endpoints, config.scale, config.faults) == (frozenset({"*"}), 1.0, ())


def test_what_the_server_is_like() -> None:
    text = "[server]\nendpoints = ['one']\nscale = 0.5\nlocal_contexts = { out = 'one' }"
    config = parse_scenario(text, "x", 0)
    assert (config.endpoints, config.scale) == (frozenset({"one"}), 0.5)
    assert config.local_contexts == {"out": "one"}


OUTCOME = "[[numbers]]\nmatch = '*'\noutcomes = [{{ {} }}]"
FAULT = "[[faults]]\n{}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x =", "f.toml is no TOML: Invalid value"),
        ("nambers = 1", "f.toml: nambers: there is no such key"),
        ("[server]\nmax_call = 1", "f.toml: server.max_call: there is no such key"),
        ("[server]\nmax_cps = 0", "f.toml: server.max_cps: Input should be greater"),
        ("[[numbers]]\nmatch = '*'", "f.toml: numbers[0].outcomes: is missing"),
        (OUTCOME.format("does = 'sing'"), "f.toml: numbers[0].outcomes[0].does: Input should be"),
        (OUTCOME.format("weight = 1"), "f.toml: numbers[0].outcomes[0].does: is missing"),
        (
            OUTCOME.format("does = 'answer', talk = 'long'"),
            "f.toml: numbers[0].outcomes[0].talk: write seconds, { uniform",
        ),
        (
            OUTCOME.format("does = 'answer', ring = { uniform = [3, 1] }"),
            "f.toml: numbers[0].outcomes[0].ring: uniform: the first bound",
        ),
        (
            OUTCOME.format("does = 'answer', ring = { fixed = 1, exponential = 3 }"),
            "f.toml: numbers[0].outcomes[0].ring: write seconds",
        ),
        (
            OUTCOME.format("does = 'answer', ring = -1"),
            "f.toml: numbers[0].outcomes[0].ring.fixed: Input should be greater",
        ),
        (
            OUTCOME.format("does = 'busy', talk = 1"),
            "f.toml: numbers[0].outcomes[0]: talk: a call that does 'busy' does not talk",
        ),
        (OUTCOME.format("does = 'busy', weight = inf"), "f.toml: numbers[0].outcomes[0].weight: "),
        (FAULT.format("at_call = 1"), "f.toml: faults[0]: do is missing"),
        (FAULT.format("do = 'burn'"), "f.toml: faults[0]: there is no fault 'burn', but 'cut'"),
        (FAULT.format("do = 'cut'"), "f.toml: faults[0]: write one of at_call"),
        (
            FAULT.format("do = 'cut'\nat_call = 1\nat_second = 1"),
            "f.toml: faults[0]: write one of at_call",
        ),
        (FAULT.format("do = 'cut'\nat_cal = 1"), "f.toml: faults[0].at_cal: there is no such key"),
        (
            FAULT.format("do = 'lose'\nevent = 'Hangupp'\nevery = 5"),
            "f.toml: faults[0]: event: write one that the dialer reads: BridgeEnter, Dial",
        ),
        (
            FAULT.format("do = 'lose'\nevent = 'Hangup'\nevery = 0"),
            "f.toml: faults[0].every: Input should be greater",
        ),
        (FAULT.format("do = 'reorder'\nshare = 2\nwithin = 1"), "f.toml: faults[0].share: Input"),
        (FAULT.format("do = 'flood'\nat_call = 1"), "f.toml: faults[0].events: is missing"),
        (
            FAULT.format("do = 'slow'\nat_call = 1\ndelay = 1\nlasts = '1'"),
            "f.toml: faults[0].lasts: Input should be a valid number",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        parse_scenario(text, "f.toml", 0)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid, match="none cannot be read: No such file"):
        read_scenario(Path("none"), 0)
    (tmp_path / "x").write_bytes(b"\xff")
    with pytest.raises(ScenarioInvalid, match="is no UTF-8"):
        read_scenario(tmp_path / "x", 0)
