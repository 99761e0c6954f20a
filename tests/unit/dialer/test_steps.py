"""Work in steps."""

import pytest

from dialer.steps import Steps, finish


def count(to: int) -> Steps[int]:
    done = 0
    while done < to:
        done += 1
        yield
    return done


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_all_steps_at_once(steps: int) -> None:
    assert finish(count(steps)) == steps


def test_an_error_in_a_step_is_the_callers() -> None:
    def fail() -> Steps[int]:
        yield
        raise ValueError("in the second step")

    with pytest.raises(ValueError, match="second step"):
        finish(fail())
