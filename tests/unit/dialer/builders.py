"""Records for tests, with only what a test cares about spelled out."""

from typing import Any

from ami import CallReport, Disposition
from dialer.states import QueueKind, QueueStatus
from dialer.store.contract import Candidate, Client, Queue, Server


def make_server(id: int = 1, **fields: Any) -> Server:
    values: dict[str, Any] = {
        "code": f"pbx{id}",
        "host": "127.0.0.1",
        "port": 5038,
        "username": "dialer",
        "secret_env": "SECRET",
    }
    return Server(id=id, **(values | fields))


def make_client(id: int = 1, **fields: Any) -> Client:
    values: dict[str, Any] = {
        "name": f"Client {id}",
        "accountcode": f"client{id}",
        "username": f"user{id}",
        "allocated_channels": 5,
        "max_cps": None,
        "has_key": True,
    }
    return Client(id=id, **(values | fields))


def make_queue(id: int = 1, client_id: int = 1, **fields: Any) -> Queue:
    values: dict[str, Any] = {
        "name": f"queue {id}",
        "status": QueueStatus.PENDING,
        "kind": QueueKind.BATCH,
    }
    return Queue(id=id, client_id=client_id, **(values | fields))


def make_item(id: int = 1, **fields: Any) -> Candidate:
    values: dict[str, Any] = {
        "client_id": 1,
        "queue_id": 1,
        "server_id": 1,
        "quick": False,
        "call_id": f"call-{id}",
        "number": f"1000{id:02d}00",
        "caller_id": None,
        "payload": {"action": {"Action": "Originate", "Channel": f"PJSIP/1000{id:02d}00@carrier"}},
        "retry": 0,
        "attempts": 0,
        "unplaced": 0,
        "due_at": None,
        "deadline": None,
        "channel_base": None,
        "batch_id": 1,
        "created_at": 0.0,
    }
    return Candidate(id=id, **(values | fields))


def make_report(disposition: str = "answered", **fields: Any) -> CallReport:
    answered = disposition == "answered"
    values: dict[str, Any] = {
        "channel_id": "chan-1",
        "action_id": "action-1",
        "disposition": Disposition(disposition),
        "connected_b": False,
        "started_at": 100.0,
        "ringing_at": 101.0,
        "answered_at": 103.0 if answered else None,
        "ended_at": 110.5,
        "end_estimated": False,
        "cause": 16 if answered else 17,
        "cause_text": "Normal Clearing" if answered else "User busy",
        "sip_code": None,
        "reason": 4 if answered else 0,
        "dial_status": "ANSWER" if answered else "BUSY",
        "leg_b": None,
        "placed": True,
        "rang": True,
        "detail": None,
    }
    return CallReport(**(values | fields))
