"""`dialer queues`."""

import pytest

from tests import store_records as make
from tests.unit.dialer.cli.conftest import ADD_CLIENT, ADD_SERVER, Terminal


@pytest.fixture
def queue(dialer: Terminal) -> None:
    dialer(*ADD_SERVER)
    dialer(*ADD_CLIENT)
    dialer.store(lambda store: store.insert_batch(make.batch(make.item(), queue_name="autumn")))


@pytest.mark.usefixtures("queue")
def test_a_queue_may_be_told_to_redial_what_is_unknown(dialer: Terminal) -> None:
    assert "redials what is unknown" in dialer("queues", "set", "1", "--redial-unknown").out
    assert dialer.store(lambda store: store.queue(1, None)).redial_unknown
    rows = dialer("queues", "list").out
    assert "autumn" in rows
    assert "yes" in rows
    told = dialer("queues", "set", "1", "--no-redial-unknown").out
    assert "does not redial what is unknown" in told
    assert not dialer.store(lambda store: store.queue(1, None)).redial_unknown
    newest, *_ = dialer.store(lambda store: store.audit(10))
    assert (newest.action, newest.subject) == ("queue.change", "1")


@pytest.mark.usefixtures("queue")
def test_completed_queues_are_listed_when_asked_for(dialer: Terminal) -> None:
    closed = {"status": "completed"}
    dialer.store(lambda store: store.change_queue(1, closed, lambda _: (), make.NOW))
    assert "autumn" not in dialer("queues", "list").out
    assert "autumn" in dialer("queues", "list", "--all", "--client", "acme").out
    dialer.refuses("queues", "set", "1", "--redial-unknown", saying="queue 1 is completed")


@pytest.mark.usefixtures("queue")
def test_what_is_wrong_is_said(dialer: Terminal) -> None:
    dialer.refuses("queues", "set", "1", saying="nothing to change")
    dialer.refuses("queues", "set", "9", "--redial-unknown", saying="not found")
    dialer.refuses("queues", "set", str(2**63), "--redial-unknown", saying=str(2**63 - 1))
    dialer.refuses("queues", "list", "--client", "nobody", saying="no client nobody")
