"""What is flat and what is not."""

import os

import pytest

from chaos.soak import Sample, judge_growth, measure_growth, take_sample

MIB = 1 << 20


def make_samples(rss: float, a_minute: float, files: int = 20, more: int = 0) -> list[Sample]:
    """Ten minutes, one a second; the warm-up is steep."""
    samples = []
    for at in range(600):
        warm = rss - 30 * (60 - at) / 60 if at < 60 else rss + a_minute * (at - 60) / 60
        opened = files + (more if at > 500 else 0)
        samples.append(Sample(float(at), int(warm * MIB), opened, 100))
    return samples


def test_a_flat_run_is_flat_whatever_the_warm_up_was() -> None:
    growth = measure_growth(make_samples(90, 0.01))
    assert judge_growth(growth) == []
    assert growth.slope == pytest.approx(0.01, abs=0.001)
    assert growth.first == pytest.approx(90 * MIB, rel=0.01)


def test_growing_memory_is_told_with_its_slope() -> None:
    (problem,) = judge_growth(measure_growth(make_samples(90, 2.0)))
    assert problem == "memory grows by 2.00 MiB a minute in the last half"


def test_files_that_stay_open_are_told() -> None:
    (problem,) = judge_growth(measure_growth(make_samples(90, 0.0, files=20, more=40)))
    assert problem == "60 files open, 20 after the warm-up"


def test_too_short_a_run_says_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        measure_growth(make_samples(90, 0.0)[:70])


def test_a_sample_is_of_a_process() -> None:
    sample = take_sample(os.getpid(), 1.0, 3)
    assert sample.rss > 5 * MIB
    assert sample.files >= 3
