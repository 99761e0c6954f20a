import pytest

from dialer.delivery.receivers import ReceiverBook
from dialer.delivery.signing import derive_secret
from dialer.store.contract import Receivers, Signing
from tests.unit.dialer.delivery.samples import NOW

KEY, INSTALLATION = b"k" * 32, b"i" * 32
URL = "https://a/hook"


class Notes:
    """`ReceiverStore`."""

    def __init__(self) -> None:
        self.known = Receivers()

    async def installation_secret(self) -> bytes:
        return INSTALLATION

    async def receivers(self) -> Receivers:
        return self.known


def secret(version: int) -> bytes:
    return derive_secret(KEY, INSTALLATION, 7, version)


async def test_a_client_has_a_secret_from_the_beginning() -> None:
    book = ReceiverBook(Notes(), lambda: KEY)
    await book.refresh()
    assert book.secrets_of(7, NOW) == (secret(1),)


async def test_the_secret_before_lives_for_its_grace() -> None:
    notes = Notes()
    book = ReceiverBook(notes, lambda: KEY)
    await book.refresh()
    notes.known = Receivers({7: Signing(3, NOW + 60), 8: Signing(2, None)})
    assert book.secrets_of(7, NOW) == (secret(1),)
    await book.refresh()
    assert book.secrets_of(7, NOW) == (secret(3), secret(2))
    assert book.secrets_of(7, NOW + 60) == (secret(3),)
    assert book.secrets_of(8, NOW) == (derive_secret(KEY, INSTALLATION, 8, 2),)


async def test_the_key_is_asked_for_once() -> None:
    keys = iter([KEY])
    book = ReceiverBook(Notes(), lambda: next(keys))
    with pytest.raises(RuntimeError):
        book.secrets_of(7, NOW)
    await book.refresh()
    await book.refresh()
    assert book.secrets_of(7, NOW) == (secret(1),)


async def test_who_is_gone_is_gone_for_that_client_until_somebody_says_otherwise() -> None:
    notes = Notes()
    book = ReceiverBook(notes, lambda: KEY)
    await book.refresh()
    assert not book.is_gone(7, URL)
    assert book.note_gone(7, URL)
    assert not book.note_gone(7, URL)
    assert book.is_gone(7, URL)
    assert not book.is_gone(8, URL)
    await book.refresh()
    assert not book.is_gone(7, URL)
    notes.known = Receivers(gone=frozenset({(7, URL)}))
    await book.refresh()
    assert book.is_gone(7, URL)
