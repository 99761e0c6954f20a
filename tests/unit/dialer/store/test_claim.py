"""Only one dialer at a time works on a database."""

from pathlib import Path

import pytest

from dialer.errors import Conflict, StoreUnavailable
from dialer.store.claim import Claim


def test_a_second_claim_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    first, second = Claim(tmp_path / "d.db"), Claim(tmp_path / "d.db")
    first.take()
    with pytest.raises(Conflict, match="another dialer"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_another_database_is_another_claim(tmp_path: Path) -> None:
    first, second = Claim(tmp_path / "one.db"), Claim(tmp_path / "two.db")
    first.take()
    second.take()
    first.release()
    second.release()


def test_a_folder_that_is_not_there_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        Claim(tmp_path / "nowhere" / "d.db").take()


def test_looking_tells_whether_it_is_held_and_takes_nothing(tmp_path: Path) -> None:
    claim, looking = Claim(tmp_path / "d.db"), Claim(tmp_path / "d.db")
    seen = [looking.is_held()]
    claim.take()
    seen += [looking.is_held(), claim.is_held()]
    claim.release()
    seen.append(looking.is_held())
    assert seen == [False, True, True, False]
