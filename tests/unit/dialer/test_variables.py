"""Variable, split as Asterisk splits it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.policy import DEFAULT_POLICY, Policy
from dialer.variables import check_variables, split_assignments
from tests.unit.dialer.test_policy import refused

FIELD = "action.Variable"


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(item.name, item.value) for item in split_assignments(text)]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("A=1", [("A", "1")]),
        ("A=1,B=2", [("A", "1"), ("B", "2")]),
        ("A=1=2", [("A", "1=2")]),
        ('A="1,2",B=3', [("A", "1,2"), ("B", "3")]),
        ("A=1\\,2,B=3", [("A", "1,2"), ("B", "3")]),
        ("A=(1,2),B=3", [("A", "(1,2)"), ("B", "3")]),
        ("A=[1,2],B=3", [("A", "[1,2]"), ("B", "3")]),
        ("A=1),B=2", [("A", "1)"), ("B", "2")]),
        ("A=\\\\,B=2", [("A", "\\"), ("B", "2")]),
        ('A=\\"x,B=2', [("A", '"x'), ("B", "2")]),
        ("A=(1,B=2", [("A", "(1,B=2")]),
        ("PJSIP_HEADER(add,X-Foo)=v,B=2", [("PJSIP_HEADER(add,X-Foo)", "v"), ("B", "2")]),
    ],
)
def test_split(text: str, pairs: list[tuple[str, str]]) -> None:
    assert _pairs(text) == pairs


@settings(max_examples=100)
@given(st.text(alphabet='AB=,()[]"\\ ', max_size=20))
def test_what_goes_out_reads_as_what_came_in(text: str) -> None:
    """Each assignment, written for a header of its own, is split by Asterisk into itself."""
    for item in split_assignments(text):
        if item.name.isalpha():
            assert _pairs(item.text) == [(item.name, item.value)]


def test_plain_names() -> None:
    names = [item.name for item in check_variables("A=1,_b=2,__C_9=x", DEFAULT_POLICY)]
    assert names == ["A", "_b", "__C_9"]


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "A=1,",
        "=1",
        "9A=1",
        "A B=1",
        "A=1, B=2",
        "A-B=1",
        "DIALER_ID=1",
        "__DIALER_ID=1",
        "FILE(/etc/passwd)=x",
        "TIMEOUT(absolute)=0",
        'FI"LE(/x)"=x',
        "PJSIP_HEADER(add,X-Foo)=v",
        "A=${B}",
        "A=$[1]",
        "A=1\r\nAction: Logoff",
        "A=1\\",
        "A=" + "x" * 1012,
        'A="' + "," * 510 + '"',
        ",".join(f"A{n}=1" for n in range(65)),
    ],
)
def test_other_variables_are_refused(text: str) -> None:
    refused(lambda: check_variables(text, DEFAULT_POLICY), FIELD)


def test_functions_are_allowed_by_exact_name() -> None:
    policy = Policy(functions=frozenset({"PJSIP_HEADER(add,X-Foo)"}))
    (item,) = check_variables("PJSIP_HEADER(add,X-Foo)=a,b"[:-2], policy)
    assert (item.name, item.value) == ("PJSIP_HEADER(add,X-Foo)", "a")
    refused(lambda: check_variables("PJSIP_HEADER(add,X-Bar)=v", policy), FIELD, "X-Bar")


@pytest.mark.parametrize("mark", ["${B}", "$[1]", "^{B}", "$\\{B}", '$"{B}"', '^"\\"{B}', '"$"[1]'])
def test_no_value_is_evaluated_even_after_its_escapes_are_eaten(mark: str) -> None:
    refused(lambda: check_variables(f"A={mark}", DEFAULT_POLICY), FIELD, "not allowed")


@pytest.mark.parametrize(
    "text",
    [
        "MONITOR_EXEC=touch /tmp/x,MONITOR_FILENAME=/etc/asterisk/x",
        "A=1,__monitor_exec=id",
        'MONITOR"_EXEC"=id',
        "MONITOR\\_EXEC=id",
        "___DYNAMIC_FEATURES=x",
    ],
)
def test_names_that_asterisk_acts_on(text: str) -> None:
    refused(lambda: check_variables(text, DEFAULT_POLICY), FIELD, "Asterisk itself acts on")


def test_such_a_name_is_allowed_by_exact_name() -> None:
    policy = Policy(functions=frozenset({"QUEUE_PRIO"}))
    (item,) = check_variables("QUEUE_PRIO=5", policy)
    assert (item.name, item.value) == ("QUEUE_PRIO", "5")
    refused(lambda: check_variables("__QUEUE_PRIO=5", policy), FIELD, "QUEUE_PRIO")
    refused(lambda: check_variables("queue_prio=5", policy), FIELD, "queue_prio")


def test_sixty_four_assignments_pass() -> None:
    text = ",".join(f"A{n}=1" for n in range(64))
    assert len(check_variables(text, DEFAULT_POLICY)) == 64


def test_a_function_that_sets_the_caller_id_obeys_its_list() -> None:
    names = (
        *("CALLERID(num)", "CALLERID(all)", "callerid(ANI)", "CALLERID(name)", "CALLERID(num-x)"),
        *("CONNECTEDLINE(num)", "REDIRECTING(from-num)", "REDIRECTING(from-name)", "CALLERIDX"),
    )
    policy = Policy(functions=frozenset(names), caller_ids=frozenset({"100"}))
    for text in ("CALLERID(num)=100", "CALLERID(all)=A <100>", "callerid(ANI)=1-00"):
        assert len(check_variables(text, policy)) == 1
    for text in ("CALLERID(name)=200", "REDIRECTING(from-name)=200", "CALLERIDX=200"):
        assert len(check_variables(text, policy)) == 1
    for name in names:
        if "name" not in name and "(" in name:
            refused(lambda: check_variables(f"A=1,{name}=200", policy), FIELD, "caller ID")  # noqa: B023
    refused(lambda: check_variables("CALLERID(all)=A", policy), FIELD, "NUMBER")
    free = Policy(functions=frozenset(names))
    assert len(check_variables("CALLERID(num)=200", free)) == 1
