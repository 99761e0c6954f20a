"""From a parsed quick call to its one item: `number1` is dialed, then `number2` where Dial has no
target of its own (docs/client-api.md). Pure.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dialer.bodies import Parsed
from dialer.errors import FieldError, Refused
from dialer.items import ItemMaker, dump, format_time
from dialer.phrases import REQUIRED
from dialer.policy import check_number, is_dial_part, parse_dial_string
from dialer.store.contract import Client, NewItem


def build_quick_call(
    parsed: Parsed,
    client: Client,
    servers: Mapping[str, int],
    new_id: Callable[[], str],
    expires_at: float,
) -> NewItem:
    """The item of a quick call: `number1` is dialed, one attempt, none after `expires_at`."""
    maker = ItemMaker(client, servers, new_id, parsed)
    body = parsed.content
    for name in ("number1", "customer_name", "action"):
        if not body.get(name):
            maker.note(FieldError(name, REQUIRED))
    item = {**body, "action": _quick_action(body, client, maker), "retry": 0}
    made = maker.make(item, None, _no_did)
    maker.raise_errors()
    if made is None:  # maker noted an error whenever it made nothing
        raise AssertionError("a quick call without errors was not built")
    extra = {name: body.get(name) for name in ("number1", "number2", "customer_name", "prefix")} | {
        "endpoint": _find_endpoint(body, client)
    }
    payload = {**made.payload, **extra, "deadline": format_time(expires_at)}
    return made._replace(payload_json=dump(payload), deadline=expires_at, retry=0)


def _no_did() -> None:
    return None


def _quick_action(body: dict[str, Any], client: Client, maker: "ItemMaker") -> dict[str, Any]:
    action = {"Action": "Originate"} | (body.get("action") or {})
    if action.get("Channel") is not None:
        maker.note(FieldError("action.Channel", "number1 is dialed; Channel is not taken"))
    if body.get("action") and not action.get("Application"):
        maker.note(FieldError("action.Application", REQUIRED))
    prefix = body.get("prefix") or client.prefix or ""
    endpoint = _find_endpoint(body, client)
    parts = {"prefix": prefix, "number1": body.get("number1"), "number2": body.get("number2")}
    wrong = [n for n, part in (*parts.items(), ("endpoint", endpoint)) if not _is_part(part)]
    for name in wrong:
        maker.note(FieldError(name, "may hold letters, digits and + * # _ . - only"))
    if wrong or not parts["number1"]:
        action["Channel"] = None
        return action
    behind = f"@{endpoint}" if endpoint else ""
    first = f"PJSIP/{prefix}{parts['number1']}{behind}"
    action["Channel"] = maker.check(None, check_number, first, client.policy, "number1")
    if _is_dial(action) and not action.get("Data") and parts["number2"]:
        second = f"PJSIP/{prefix}{parts['number2']}{behind}"
        action["Data"] = maker.check(None, check_number, second, client.policy, "number2")
    return action


def _is_part(text: str | None) -> bool:
    return not text or is_dial_part(text)


def _find_endpoint(body: dict[str, Any], client: Client) -> str | None:
    """The call's own, the client's, or the one that its second leg goes through. None: `number1`
    is the name of an endpoint itself, as a telephone of one's own has it (PJSIP/1001)."""
    endpoint = body.get("endpoint") or client.endpoint
    action = body.get("action") or {}
    if endpoint or not _is_dial(action):
        return endpoint
    try:
        target = parse_dial_string((action.get("Data") or "").partition(",")[0])
    except Refused:
        return None
    return target.endpoint if "@" in target.text and target.tech.upper() == "PJSIP" else None


def _is_dial(action: dict[str, Any]) -> bool:
    return (action.get("Application") or "").casefold() == "dial"
