import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer import loading
from dialer.loading import (
    LARGEST_ID,
    Batch,
    Entry,
    LoadError,
    Stored,
    Wait,
    build_body,
    check_batch,
    choose_first_id,
    cut_batches,
    digest_file,
    read_answer,
    read_csv,
    read_json,
)

NOW = 1705314700.0
ITEM: dict[str, Any] = {
    "asterisk_server_code": "pbx1",
    "action": {"Action": "Originate", "Channel": "PJSIP/100@trunk"},
}


def batch_of(*items: dict[str, Any]) -> Batch:
    return Batch(7, tuple(Entry(f"line {n}", item) for n, item in enumerate(items, 2)))


def test_csv_columns_become_item_and_action() -> None:
    text = (
        "\ufeffasterisk_server_code,CHANNEL,Application,Data,retry,contact_number,project,Timeout\n"
        'pbx1,PJSIP/100@trunk,Dial,"PJSIP/200@trunk,30",2,5550100,"a ""b""\nc",20000\n'
        "\n"
        "pbx2,PJSIP/101@trunk,,,,,,\n"
    )
    first, second = read_csv(io.StringIO(text, newline=""))
    assert first.place == "line 2"
    assert first.item == {
        "asterisk_server_code": "pbx1",
        "retry": "2",
        "contact_number": "5550100",
        "project": 'a "b"\nc',
        "action": {
            "Action": "Originate",
            "Channel": "PJSIP/100@trunk",
            "Application": "Dial",
            "Data": "PJSIP/200@trunk,30",
            "Timeout": "20000",
        },
    }
    assert second == Entry(
        "line 5",
        {
            "asterisk_server_code": "pbx2",
            "action": {"Action": "Originate", "Channel": "PJSIP/101@trunk"},
        },
    )
    check_batch(Batch(1, (first, second)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the column asterisk_server_code is missing"),
        ("asterisk_server_code\nx\n", "line 1: the column Channel is missing"),
        ("asterisk_server_code,Channel,phone\n", "line 1: 'phone' is no field"),
        ("asterisk_server_code,Channel,channel\n", "line 1: the column Channel is there twice"),
        ("asterisk_server_code,Channel\npbx1\n", "line 2: has 1 cells where the header has 2"),
        ("asterisk_server_code,Channel\npbx1,a\npbx1,\n", "line 3: Channel: is empty"),
        ('asterisk_server_code,Channel\npbx1,"a\n', "line 2: unexpected end of data"),
    ],
)
def test_csv_faults_name_line_and_field(text: str, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        list(read_csv(io.StringIO(text, newline="")))
    assert str(caught.value).startswith(message)


def test_a_csv_that_is_not_utf8() -> None:
    handle = io.TextIOWrapper(io.BytesIO(b"asterisk_server_code,Channel\npbx1,\xff\n"), "utf-8")
    with pytest.raises(LoadError, match="is not UTF-8 text"):
        list(read_csv(handle))


def test_json_list_and_object() -> None:
    dids, entries = read_json(io.StringIO(json.dumps([ITEM, ITEM])))
    assert dids == ()
    assert list(entries) == [Entry("item 1", ITEM), Entry("item 2", ITEM)]
    whole = {"dids": ["+1", 22], "batch_id": 5, "data": [ITEM]}
    dids, entries = read_json(io.StringIO("\ufeff " + json.dumps(whole)))
    assert dids == ("+1", "22")
    assert list(entries) == [Entry("item 1", ITEM)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: Expecting value"),
        ("{\n", "line 2: "),
        ("5", "the file must hold a list"),
        ('{"data": 5}', "the file must hold a list"),
        ('{"data": [], "dids": 5}', "dids: must be a list"),
        ("[5]", "item 1: must be a JSON object"),
        ('[{"a":1} {"b":2}]', "item 2: is not valid JSON"),
        ('[{"a":1},]', "item 2: is not valid JSON"),
        ('[,{"a":1}]', "item 1: is not valid JSON"),
        ('[{"a":1}', "item 2: is not valid JSON, or the file ends within it"),
        ('[{"a":1', "item 1: is not valid JSON"),
        ('[{"a":1}] x', "there is something after the end of the list"),
    ],
)
def test_json_faults(text: str, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        list(read_json(io.StringIO(text))[1])
    assert str(caught.value).startswith(message)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(max_examples=40)
@given(
    items=st.lists(st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=3), max_size=6),
    indent=st.sampled_from([None, 1]),
    chunk=st.integers(1, 40),
)
def test_a_list_reads_the_same_in_pieces_of_any_size(
    items: list[dict[str, Any]], indent: int | None, chunk: int
) -> None:
    text = " " + json.dumps(items, indent=indent) + "\n "
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "CHUNK", chunk)
        _, entries = read_json(io.StringIO(text))
        assert [entry.item for entry in entries] == items


def test_a_broken_item_does_not_make_it_read_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LARGEST_ITEM", 1000)
    monkeypatch.setattr(loading, "CHUNK", 100)
    handle = io.StringIO('[{"a":' + "x" * 10_000)
    with pytest.raises(LoadError, match="item 1: is not valid JSON"):
        list(read_json(handle)[1])
    assert handle.tell() < 2000


def test_batch_ids_come_from_the_file_and_stay_exact_in_json() -> None:
    one, two = (choose_first_id(digest_file(io.BytesIO(text))) for text in (b"one", b"two"))
    assert one == choose_first_id(digest_file(io.BytesIO(b"one")))
    assert one != two
    assert 1 <= choose_first_id(b"\0" * 32) < choose_first_id(b"\xff" * 32) <= LARGEST_ID
    batches = list(cut_batches((Entry(f"line {n}", ITEM) for n in range(2500)), one))
    assert [batch.batch_id for batch in batches] == [one, one + 1, one + 2]
    assert [len(batch.entries) for batch in batches] == [1000, 1000, 500]


def test_the_body() -> None:
    assert json.loads(build_body(batch_of(ITEM), None, ())) == {
        "queue_id": None,
        "batch_id": 7,
        "data": [ITEM],
    }
    assert json.loads(build_body(batch_of(ITEM), 3, ("+1",)))["dids"] == ["+1"]


def test_types_are_checked_before_anything_is_sent() -> None:
    check_batch(batch_of(ITEM))
    with pytest.raises(LoadError, match=r"^line 3: retry: must be a whole number"):
        check_batch(batch_of(ITEM, ITEM | {"retry": "often"}))
    wrong = ITEM | {"action": {**ITEM["action"], "Chanel": "x"}}
    with pytest.raises(LoadError, match=r"^line 2: action: unknown key 'Chanel'"):
        check_batch(batch_of(wrong))
    with pytest.raises(LoadError) as caught:
        check_batch(batch_of(*[ITEM | {"retry": "often"}] * 50))
    assert str(caught.value).count("\n") == 20
    assert str(caught.value).endswith("and 30 more")


def read(status: int, answer: Any, **headers: str) -> Stored | Wait:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return read_answer(batch_of(ITEM, ITEM), status, named, body, NOW)


def test_answers_that_go_on() -> None:
    good = {"status": "success", "data": {"queue_id": 3, "inserted_count": 2, "batch_id": 7}}
    assert read(200, good) == Stored(3, 2, False)
    assert read(200, good, idempotent_replayed="true") == Stored(3, 2, True)
    assert read(429, {"message": "slowly"}, retry_after="7") == Wait(7.0, "slowly")
    assert read(503, b"<html>") == Wait(1.0, "HTTP 503")
    assert read(500, b"") == Wait(1.0, "HTTP 500")


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (401, {"message": "Invalid API key", "status": "error"}, "Invalid API key"),
        (409, {"message": "Conflict", "details": "another body"}, "Conflict: another body"),
        (404, b"not here", "HTTP 404, and not by this API"),
        (200, b"hello", "HTTP 200, and not by this API"),
        (
            400,
            {"message": "x", "errors": [{"index": 1, "field": "action.Channel", "message": "bad"}]},
            "line 3: action.Channel: bad",
        ),
        (400, {"errors": [{"field": "dids", "message": "bad"}]}, "dids: bad"),
    ],
)
def test_answers_that_end_the_load(status: int, answer: Any, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        read(status, answer)
    assert str(caught.value) == message
