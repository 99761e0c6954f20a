"""One item by all rules: what batches and quick calls share."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from ami import Disposition
from dialer.applications import check_application, check_data
from dialer.bodies import Parsed
from dialer.errors import FieldError, Refused
from dialer.phrases import DIGITS, REQUIRED
from dialer.policy import (
    DialTarget,
    check_caller_id,
    check_caller_number,
    check_channel_ids,
    check_codecs,
    check_dial_string,
    check_gosub,
    check_recording,
    check_text,
    fits_wire,
    has_control,
    refusal,
)
from dialer.recording import check_recorded_data, choose_format
from dialer.siblings import Family
from dialer.states import ItemEnd, ItemStatus, QueueStatus
from dialer.store.contract import Client, NewItem, Server
from dialer.variables import check_variables

_STATES: Final[dict[str, frozenset[str]]] = {
    "call_status": frozenset(ItemStatus),
    "queue_status": frozenset(QueueStatus),
    "queue_type": frozenset({"outbound"}),
    "disposition": frozenset({*Disposition, *ItemEnd}),
}
"""The words of an item's state fields. They are only checked: an item starts at the defaults."""

NO_SERVER: Final = "Asterisk server not found"
_MOST_FAMILIES: Final = 4
_MOST_STRANGERS: Final = 32  # then a batch is taken for one without siblings
DEFAULT_TIMEOUT: Final = 30  # seconds; the document's call_timeout
_DIGITS = re.compile(r"\+?[0-9]{1,31}")
_PLAIN = re.compile(r"[1-9][0-9]{0,17}|0")


def reachable_servers(client: Client, servers: Iterable[Server]) -> dict[str, int]:
    """Code → id of the servers that this client may name."""
    return {
        server.code: server.id
        for server in servers
        if not server.removed and (not client.server_ids or server.id in client.server_ids)
    }


class ItemMaker:
    """Makes items and notes their errors, one for each field."""

    def __init__(
        self,
        client: Client,
        servers: Mapping[str, int],
        new_id: Callable[[], str],
        parsed: Parsed,
    ) -> None:
        self._client = client
        self._servers = servers
        self._new_id = new_id
        self._policy = client.policy
        self._zone = ZoneInfo(client.timezone)
        self._caller_id: str | None = None  # the latest that passed
        self._deadline: tuple[datetime | None, float, str] = (None, 0.0, "")  # the latest read
        self._errors: dict[tuple[int | None, str], FieldError] = {}
        self._plain = parsed.plain
        self._families: list[Family] = []
        self._strangers = 0  # items in a row that were nobody's sibling
        self._found: dict[int | None, list[FieldError]] = {}  # by the types; noted with their item
        for error in parsed.errors:
            self._found.setdefault(error.index, []).append(error)
        for error in self._found.pop(None, ()):
            self.note(error)

    def note(self, error: FieldError) -> None:
        """Keep the first error of each field of each item."""
        self._errors.setdefault((error.index, error.field), error)

    def check(self, index: int | None, rule: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
        """The rule's result; None and a note where it refuses."""
        try:
            return rule(*args)
        except Refused as refused:
            for error in refused.errors:
                self.note(replace(error, index=index))
            return None

    def raise_errors(self) -> None:
        """Raise `Refused` with everything noted, batch first, then item by item."""
        if self._errors:
            ordered = sorted(
                self._errors.values(), key=lambda error: -1 if error.index is None else error.index
            )
            raise Refused(ordered)

    def make(
        self, item: dict[str, Any], index: int | None, fallback_did: Callable[[], str | None]
    ) -> NewItem | None:
        """One item by all rules, or None when errors were noted for it."""
        for error in self._found.pop(index, ()):
            self.note(error)
        for family in self._families:
            made = family.make(item, fallback_did, self._client.did)
            if made is not None:
                self._strangers = 0
                return made
        made = self._make_alone(item, index, fallback_did)
        if made is not None and self._plain and self._strangers < _MOST_STRANGERS:
            self._strangers += 1
            if item["action"].get("OtherChannelId"):  # it is judged together with an own field
                return made
            family = Family(item, made, self._policy, self._new_id)
            self._families = [family, *self._families[: _MOST_FAMILIES - 1]]
        return made

    def _make_alone(
        self, item: dict[str, Any], index: int | None, fallback_did: Callable[[], str | None]
    ) -> NewItem | None:
        before = len(self._errors)
        action: dict[str, Any] = item.get("action") or {}
        if not self._plain:
            self._check_texts(item, action, index)
        server_id = self._find_server(item.get("asterisk_server_code"), index)
        self._check_required(item, action, index)
        channel = action.get("Channel")
        where = "action.Channel" if index is not None else "endpoint"  # a quick call has no Channel
        target = channel and self.check(index, check_dial_string, channel, self._policy, where)
        timeout = self.check(index, _find_timeout, item, action)
        self._check_call(item, action, index)
        self._check_ids(action, target, index)
        self._check_rest(item, action, index)
        deadline, deadline_text = self._find_deadline(item.get("deadline"), index)
        contact = self.check(index, _find_contact, item.get("contact_number"))
        caller_id = action.get("CallerID") or item.get("caller_id")
        if len(self._errors) != before or server_id is None or not target:
            return None
        channel_id = action.get("ChannelId")
        return NewItem(
            server_id=server_id,
            call_id=action.get("ActionID") or self._new_id(),
            number=target.number,
            caller_id=caller_id or fallback_did() or self._client.did,
            payload_json=dump(_spell_out(item, action, timeout, contact, deadline_text)),
            retry=item.get("retry") or 0,
            deadline=deadline,
            wanted_channel_id=channel_id if channel_id and fits_wire(channel_id) else None,
        )

    def _check_texts(self, item: dict[str, Any], action: dict[str, Any], index: int | None) -> None:
        """Control characters anywhere, echoed fields included. One search for the whole item."""
        texts = [value for value in (*item.values(), *action.values()) if type(value) is str]
        if not has_control("".join(texts)):
            return
        for prefix, fields in (("", item), ("action.", action)):
            for name, value in fields.items():
                if isinstance(value, str):
                    self.check(index, check_text, prefix + name, value)

    def _find_server(self, code: str | None, index: int | None) -> int | None:
        server_id = self._servers.get(code) if code else None
        if server_id is None:
            self.note(FieldError("asterisk_server_code", NO_SERVER if code else REQUIRED, index))
        return server_id

    def _check_required(
        self, item: dict[str, Any], action: dict[str, Any], index: int | None
    ) -> None:
        if index is not None and item.get("action") is None:
            self.note(FieldError("action", REQUIRED, index))
            return
        kind = action.get("Action")
        if kind is None:
            self.note(FieldError("action.Action", REQUIRED, index))
        elif kind != "Originate" and kind.casefold() != "originate":
            self.note(FieldError("action.Action", "must be Originate", index))
        if not action.get("Channel") and index is not None:
            self.note(FieldError("action.Channel", REQUIRED, index))

    def _check_call(self, item: dict[str, Any], action: dict[str, Any], index: int | None) -> None:
        application = action.get("Application")
        if application:
            name = self.check(index, check_application, application, self._policy)
            if name is not None:
                self.check(index, check_data, name, action.get("Data") or "", self._policy)
        elif action.get("Data"):
            self.check(index, check_data, "", action["Data"], self._policy)
        if action.get("Data") and item.get("create_recording"):
            self.check(index, check_recorded_data, action["Data"])
        if action.get("Variable"):
            self.check(index, check_variables, action["Variable"], self._policy)
        if action.get("Codecs"):
            self.check(index, check_codecs, action["Codecs"])
        if action.get("PreDialGoSub"):
            self.check(index, check_gosub, action["PreDialGoSub"], self._policy)

    def _check_ids(self, action: dict[str, Any], target: object, index: int | None) -> None:
        other = action.get("OtherChannelId")
        if other:
            local = isinstance(target, DialTarget) and target.tech == "Local"
            rule = partial(check_channel_ids, local=local)
            self.check(index, rule, action.get("ChannelId"), other)

    def _find_deadline(
        self, deadline: datetime | None, index: int | None
    ) -> tuple[float | None, str | None]:
        """Most items of a batch share one deadline: it is worked out once."""
        if deadline is None:
            return None, None
        if deadline != self._deadline[0] or deadline.tzinfo is None:
            read = self.check(index, _read_deadline, deadline, self._zone)
            if read is None:
                return None, None
            self._deadline = (deadline, *read)
        return self._deadline[1], self._deadline[2]

    def check_caller_id(self, caller_id: str | None, field: str, index: int | None) -> None:
        """Most items of a batch share one caller ID: it is checked once."""
        if caller_id and caller_id != self._caller_id:
            before = len(self._errors)
            self.check(index, check_caller_id, caller_id, field)
            own = self._client.did
            self.check(index, check_caller_number, caller_id, self._policy, own, field)
            if len(self._errors) == before:
                self._caller_id = caller_id

    def _check_rest(self, item: dict[str, Any], action: dict[str, Any], index: int | None) -> None:
        self.check_caller_id(action.get("CallerID"), "action.CallerID", index)
        self.check_caller_id(item.get("caller_id"), "caller_id", index)
        for name, words in _STATES.items():
            word = item.get(name)
            if word and word.casefold() not in words:
                self.note(FieldError(name, _one_of(words), index))
        path, profile = item.get("recording_path"), item.get("mix_monitor_command")
        form = item.get("recording_format")
        if path or profile or form not in (None, "", "wav"):
            self.check(index, check_recording, path, form, profile, self._policy)


def _one_of(words: Iterable[str]) -> str:
    return f"must be one of {', '.join(sorted(filter(None, words)))}"


def _find_timeout(item: dict[str, Any], action: dict[str, Any]) -> tuple[int, int]:
    """(Originate's Timeout in ms, call_timeout in s), both within 1 to 120 s."""
    seconds = item.get("call_timeout")
    if seconds is None:
        seconds = DEFAULT_TIMEOUT
    elif not 1 <= seconds <= 120:
        raise refusal("call_timeout", "must be 1 to 120 seconds")
    milliseconds = action.get("Timeout")
    if milliseconds is None:
        milliseconds = seconds * 1000
    elif not 1000 <= milliseconds <= 120_000:
        raise refusal("action.Timeout", "must be 1000 to 120000 ms")
    return milliseconds, seconds


def _read_deadline(deadline: datetime, zone: ZoneInfo) -> tuple[float, str]:
    """Epoch seconds and text; a time without zone is the client's."""
    try:
        aware = deadline if deadline.tzinfo is not None else deadline.replace(tzinfo=zone)
        moment = aware.timestamp()
        return moment, format_time(moment)
    except (OverflowError, ValueError):
        raise refusal("deadline", "is out of range") from None


def _find_contact(contact: int | str | None) -> int | str | None:
    """The number as an integer, as documented; as text where an integer would lose a leading
    zero or plus. Empty is none."""
    if contact is None or contact == "":
        return None
    text = str(contact)
    if not _DIGITS.fullmatch(text):
        raise refusal("contact_number", DIGITS)
    return int(text) if _PLAIN.fullmatch(text) else text


def format_time(moment: float) -> str:
    """Epoch seconds as the documents write times: ISO 8601, UTC, `Z`. Raises ValueError or
    OverflowError outside the years 1 to 9999."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(
        timespec="seconds" if moment == int(moment) else "milliseconds"
    )
    return text.replace("+00:00", "Z")


def dump(payload: dict[str, Any]) -> str:
    """A payload as it is stored."""
    return to_json(payload).decode()


def _spell_out(
    item: dict[str, Any],
    action: dict[str, Any],
    timeout: tuple[int, int],
    contact: int | str | None,
    deadline: str | None,
) -> dict[str, Any]:
    """The item in its documented spelling with all defaults; state fields at theirs."""
    get, told = item.get, action.get
    early, asynchronous = told("EarlyMedia"), told("Async")
    return {
        "asterisk_server_code": item["asterisk_server_code"],
        "caller_id": get("caller_id"),
        "action": {
            "Action": "Originate",
            "ActionID": told("ActionID"),
            "Channel": action["Channel"],
            "Application": told("Application"),
            "Data": told("Data"),
            "Timeout": timeout[0],
            "CallerID": told("CallerID"),
            "Variable": told("Variable"),
            "Account": told("Account"),
            "EarlyMedia": True if early is None else early,
            "Async": True if asynchronous is None else asynchronous,
            "Codecs": told("Codecs"),
            "ChannelId": told("ChannelId"),
            "OtherChannelId": told("OtherChannelId"),
            "PreDialGoSub": told("PreDialGoSub"),
        },
        "retry": get("retry") or 0,
        "call_tried": 0,
        "call_success": 0,
        "call_failed": 0,
        "call_status": "pending",
        "connected": False,
        "create_recording": get("create_recording") or False,
        "recording_format": choose_format(item),
        "queue_type": "outbound",
        "queue_status": "pending",
        "call_timeout": timeout[1],
        "recording_path": get("recording_path"),
        "mix_monitor_command": get("mix_monitor_command"),
        "disposition": None,
        "contact_number": contact,
        "project": get("project"),
        "deadline": deadline,
    }
