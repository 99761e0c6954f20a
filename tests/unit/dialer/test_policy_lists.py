"""What operators type to change a policy."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.dial_options import DIAL_OPTIONS
from dialer.errors import SettingsError
from dialer.policy import DEFAULT_POLICY, Policy
from dialer.policy_lists import LISTS, UNLIMITED, change_policy, show_list


def change(text: str, policy: Policy = DEFAULT_POLICY) -> set[str] | None:
    """The list that `text` names, after the change; no other changes."""
    changed = change_policy(policy, text)
    name = text.strip().partition("=")[0].rstrip("+- ").lower()
    others = {other: getattr(policy, other) for other in LISTS if other != name}
    assert replace(changed, **others) == changed
    found: frozenset[str] | None = getattr(changed, name)
    return None if found is None else set(found)


def refuses(text: str, *words: str, policy: Policy = DEFAULT_POLICY) -> None:
    with pytest.raises(SettingsError) as caught:
        change_policy(policy, text)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("applications=Dial,Wait", {"Dial", "Wait"}),
        ("applications=dial, CONFBRIDGE ,Background", {"Dial", "ConfBridge", "Background"}),
        ("applications=", set()),
        ("technologies=pjsip,DAHDI", {"PJSIP", "DAHDI"}),
        ("endpoints=trunk-1,+98.x", {"trunk-1", "+98.x"}),
        ("local_contexts=from_campaign", {"from_campaign"}),
        ("gosub_contexts=a-b,c.d", {"a-b", "c.d"}),
        ("dial_options=rRg", {"r", "R", "g"}),
        ("dial_options=U,b", {"U", "b"}),
        ("functions=PJSIP_HEADER(add,X-Foo)", {"PJSIP_HEADER(add,X-Foo)"}),
        (
            "functions=PJSIP_HEADER(add, X-Foo),QUEUE_PRIO,CALLERID(num)",
            {"PJSIP_HEADER(add, X-Foo)", "QUEUE_PRIO", "CALLERID(num)"},
        ),
        ("recording_profiles=stereo,long_calls", {"stereo", "long_calls"}),
        ("prefixes=98,+98,*43,0", {"98", "+98", "*43", "0"}),
        ("prefixes=", set()),
        ("caller_ids=1001,+98211001", {"1001", "+98211001"}),
        (" Prefixes = 98 ", {"98"}),
    ],
)
def test_a_list_in_place_of_the_one_before(text: str, values: set[str]) -> None:
    assert change(text) == values


@pytest.mark.parametrize("name", sorted(UNLIMITED))
def test_a_star_allows_all_where_that_makes_sense(name: str) -> None:
    limited = change_policy(DEFAULT_POLICY, f"{name}=98")
    assert change(f"{name}=*", limited) is None
    refuses(f"{name}+=*", policy=limited)
    refuses(f"{name}=98,*")


@pytest.mark.parametrize("name", sorted(set(LISTS) - UNLIMITED))
def test_elsewhere_it_does_not(name: str) -> None:
    refuses(f"{name}=*", name, "'*'")
    refuses(f"{name}+=*", name, "'*'")


@pytest.mark.parametrize("name", LISTS)
def test_the_built_in_comes_back(name: str) -> None:
    emptied = change_policy(DEFAULT_POLICY, f"{name}=")
    assert getattr(emptied, name) == frozenset()
    assert change_policy(emptied, f"{name}=default") == DEFAULT_POLICY


def test_values_are_added_and_taken_away() -> None:
    assert change("local_contexts+=default,out") == {"default", "out"}
    assert change("dial_options-=LS") == set("rRmiIc")
    assert change("applications-=dial,Queue") == set(DEFAULT_POLICY.applications) - {
        "Dial",
        "Queue",
    }
    assert change("technologies+=pjsip") == set(DEFAULT_POLICY.technologies)
    one = Policy(prefixes=frozenset({"98"}))
    assert change("prefixes+=99", one) == {"98", "99"}
    assert change("prefixes-=98", one) == set()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "NAME=VALUES"),
        ("prefixes", "NAME=VALUES"),
        ("=98", "NAME=VALUES"),
        ("prefixes:98", "NAME=VALUES"),
        ("prefixes*=98", "NAME=VALUES"),
        ("prefix=98", "no list 'prefix'"),
        ("prefixes+=98", "all are allowed now"),
        ("endpoints-=x", "all are allowed now"),
        ("applications+=", "no value"),
        ("applications-=Background", "not on the list"),
        ("applications=AGI", "refused by Asterisk"),
        ("applications=EAGI", "'AGI'"),
        ("applications=TryExec", "'Exec'"),
        ("applications+=system", "refused by Asterisk"),
        ("applications=StopMixMonitor", "'MixMonitor'"),
        ("applications=Dial(x)", "no name"),
        ("applications=Di al", "no name"),
        ("applications=Dial,,Wait", "no name"),
        ("applications=Día", "no name"),
        ("technologies=Local", "local_contexts"),
        ("technologies=PJSIP/x", "no name"),
        ("endpoints=a/b", "endpoint"),
        ("endpoints=a b", "endpoint"),
        ("local_contexts=a/b", "context"),
        ("gosub_contexts=a^b", "context"),
        ("gosub_contexts=a,b(c", "context"),
        ("dial_options=rv", "'v'"),
        ("dial_options=1", "'1'"),
        ("dial_options=U(x)", "no option"),
        ("functions=DIALER_X", "ours"),
        ("functions=__dialer_x", "ours"),
        ("functions=GLOBAL(DIALER_X)", "ours"),
        ("functions+=SHELL(x)", "can only be read"),
        ("functions=__EVAL(x)", "can only be read"),
        ("functions=A B", "no name"),
        ("functions=A=b", "no name"),
        ('functions="A"', "no name"),
        ("functions=A(b\\c)", "no name"),
        ("functions=A(b", "no name"),
        ("functions=A(b)c", "no name"),
        ("functions=A((b))", "no name"),
        ("functions=A(${b})", "no name"),
        ("functions=A(b[)", "no name"),
        ("recording_profiles=a-b", "profile"),
        ("recording_profiles=a b", "profile"),
        ("prefixes=9 8", "number"),
        ("prefixes=٩٨", "number"),
        ("prefixes=98&", "number"),
        ("caller_ids=A <1001>", "number"),
        ("caller_ids=10-01", "number"),
        ("caller_ids=١", "number"),
        ("endpoints=" + "x" * 201, "too long"),
        ("prefixes=" + ",".join(map(str, range(1001))), "1000"),
        ("prefixes=9\n8", "NAME=VALUES"),
    ],
)
def test_what_can_not_be_is_one_plain_sentence(text: str, words: str) -> None:
    refuses(text, words)


def test_a_list_is_shown_as_it_is_typed() -> None:
    policy = Policy(functions=frozenset({"PJSIP_HEADER(add,X-Foo)", "A"}))
    assert show_list(policy, "functions") == "A,PJSIP_HEADER(add,X-Foo)"
    assert show_list(policy, "prefixes") == "*"
    assert show_list(policy, "gosub_contexts") == ""
    assert show_list(policy, "dial_options") == "cIiLmRrS"


VALUES = {
    "applications": st.sampled_from(["Dial", "Wait", "Background", "Page"]),
    "technologies": st.sampled_from(["PJSIP", "SIP", "DAHDI"]),
    "endpoints": st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True),
    "local_contexts": st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True),
    "gosub_contexts": st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True),
    "dial_options": st.sampled_from(sorted(DIAL_OPTIONS)),
    "functions": st.from_regex(r"[A-CX-Z]{1,3}(?:\([a-z]{1,3}(?:,[a-z]{1,3})?\))?", fullmatch=True),
    "recording_profiles": st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True),
    "prefixes": st.from_regex(r"[0-9+#]{1,5}", fullmatch=True),
    "caller_ids": st.from_regex(r"[0-9+#]{1,5}", fullmatch=True),
}


@settings(max_examples=60)
@given(st.data())
def test_what_is_shown_can_be_typed(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(LISTS))
    values = data.draw(st.frozensets(VALUES[name], max_size=4))
    policy = replace(DEFAULT_POLICY, **{name: values})
    shown = show_list(policy, name)
    if shown == "default":  # a value of this name is added, not set
        return
    assert change(f"{name}={shown}") == set(values)
