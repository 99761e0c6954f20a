"""What a worker keeps of its own: a place, a log, tokens."""

from pathlib import Path

import pytest

from dialer.errors import Conflict, StoreUnavailable
from dialer.store import worker_state
from dialer.store.worker_state import WorkerState


def test_each_worker_has_a_place_and_a_later_life_the_same(tmp_path: Path) -> None:
    one, two = WorkerState(tmp_path, "db"), WorkerState(tmp_path, "db")
    log = one.take()
    log.open([], [])
    log.begin_renewal()
    log.note_sent("a")
    two.take().open([], [])
    one.note_tokens({1: 5}, [])
    two.note_tokens({2: 7}, [])
    log.close()
    one.release()
    again = WorkerState(tmp_path, "db")
    later = again.take()
    later.open(["a", "b"], log.marks)
    later.begin_renewal()
    assert (later.is_sent("a"), later.is_sent("b")) == (True, False)
    assert again.tokens == {(1, 5)}
    later.close()
    for state in (again, two):
        state.release()


def test_tokens_are_kept_while_attempts_are_open_under_them(tmp_path: Path) -> None:
    state = WorkerState(tmp_path, "db")
    state.take()
    state.note_tokens({1: 5, 2: 6}, [])
    state.note_tokens({1: 8}, [(1, 5), (1, 4)])
    assert state.tokens == {(1, 5), (1, 8), (2, 6)}
    state.note_tokens({1: 9}, [])
    assert state.tokens == {(1, 9), (2, 6)}
    state.release()
    again = WorkerState(tmp_path, "db")
    again.take()
    assert again.tokens == {(1, 9), (2, 6)}
    again.release()


def test_forgotten_tokens_are_forgotten_by_the_next_life_too(tmp_path: Path) -> None:
    state = WorkerState(tmp_path, "db")
    state.take()
    state.note_tokens({1: 5}, [])
    state.forget_tokens()
    assert state.tokens == set()
    state.release()
    again = WorkerState(tmp_path, "db")
    again.take()
    assert again.tokens == set()
    again.release()


def test_another_database_has_other_places(tmp_path: Path) -> None:
    one, other = WorkerState(tmp_path, "one"), WorkerState(tmp_path, "other")
    one.take()
    one.note_tokens({1: 5}, [])
    other.take()
    assert other.tokens == set()
    one.release()
    other.release()


@pytest.mark.parametrize("text", ["", "{}", "[[1]]", "nonsense", '["ab"]'])
def test_what_cannot_be_read_vouches_for_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "db-0.tokens").write_text(text)
    state = WorkerState(tmp_path, "db")
    state.take()
    assert state.tokens == set()
    state.release()


def test_a_folder_that_cannot_be_had_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="file"):
        WorkerState(tmp_path / "file", "db").take()


def test_places_are_not_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_state, "PLACES", 1)
    one = WorkerState(tmp_path, "db")
    one.take()
    with pytest.raises(Conflict):
        WorkerState(tmp_path, "db").take()
    one.release()


def test_tokens_that_could_not_be_noted_are_tried_again(tmp_path: Path) -> None:
    state = WorkerState(tmp_path, "db")
    state.take()
    assert state.can_keep()
    in_the_way = tmp_path / "db-0.tokens.new"
    in_the_way.mkdir()
    with pytest.raises(StoreUnavailable):
        state.note_tokens({1: 5}, [])
    assert not state.can_keep()
    in_the_way.rmdir()
    assert state.can_keep()
    state.release()
    again = WorkerState(tmp_path, "db")
    again.take()
    assert again.tokens == {(1, 5)}
    again.release()
