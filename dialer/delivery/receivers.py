"""What the deliverer knows of receivers of callbacks: how to sign for them, and who is gone."""

from collections.abc import Callable
from typing import Final, Protocol

from dialer.delivery.signing import derive_secret
from dialer.store.contract import Receivers, Signing

_FIRST: Final = Signing()


class ReceiverStore(Protocol):
    """What is needed of `dialer.store.contract.Store`."""

    async def installation_secret(self) -> bytes: ...
    async def receivers(self) -> Receivers: ...


class ReceiverBook:
    """In memory; `refresh` reads it anew. `load_key` gives the signing key, once."""

    def __init__(self, store: ReceiverStore, load_key: Callable[[], bytes]) -> None:
        self._store = store
        self._load_key = load_key
        self._keys: tuple[bytes, bytes] | None = None
        self._known = Receivers()
        self._gone: set[tuple[int, str]] = set()
        self._secrets: dict[tuple[int, int], bytes] = {}

    async def refresh(self) -> None:
        """Raises `StoreUnavailable`; `SettingsError` where the signing key cannot be had."""
        if self._keys is None:
            self._keys = self._load_key(), await self._store.installation_secret()
        self._known = await self._store.receivers()
        self._gone = set(self._known.gone)

    def secrets_of(self, client_id: int, now: float) -> tuple[bytes, ...]:
        """The live signing secrets, the newest first."""
        signing = self._known.signing.get(client_id, _FIRST)
        newest = self._secret(client_id, signing.version)
        if signing.grace_until is None or now >= signing.grace_until:
            return (newest,)
        return newest, self._secret(client_id, signing.version - 1)

    def is_gone(self, client_id: int, url: str) -> bool:
        """Whether a callback URL wants nothing more."""
        return bool(self._gone) and (client_id, url) in self._gone

    def note_gone(self, client_id: int, url: str) -> bool:
        """It answered so just now; whether that is news."""
        if (client_id, url) in self._gone:
            return False
        self._gone.add((client_id, url))
        return True

    def _secret(self, client_id: int, version: int) -> bytes:
        secret = self._secrets.get((client_id, version))
        if secret is None:
            if self._keys is None:
                raise RuntimeError("the receivers were not read yet")
            secret = derive_secret(*self._keys, client_id, version)
            self._secrets[client_id, version] = secret
        return secret
