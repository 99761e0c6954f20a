"""The policy as a whole: what passes it obeys every list, judged on the wire by another reading of
Asterisk's; and what ingest says of an item is what is said before each of its attempts."""

import json
import re
from collections import Counter
from dataclasses import fields, replace
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami import is_reserved, serialize
from dialer.batch import build_batch
from dialer.bodies import parse_batch
from dialer.dial_options import DIAL_OPTIONS
from dialer.errors import Refused
from dialer.originate import build_originate
from dialer.policy import Policy
from dialer.store.contract import Client, NewItem
from tests.dial_reading import (
    Called,
    find_context,
    read_caller_number,
    read_dial_string,
    read_options,
    split_arguments,
)
from tests.manager_input import Heard, hear
from tests.unit.dialer.builders import make_client, make_item

ENDPOINTS = ("trunk", "trunk2", "98", "other")
CONTEXTS = ("out", "internal", "default")
NUMBERS = (
    "981",
    "+98100",
    "98",
    "0098",
    "9",
    "199",
    "98#1",
    "9-8",
    "s",
    "trunk",
    "other",
    "٩٨",
    "",
)
TECHNOLOGIES = (
    "PJSIP",
    "pjsip",
    "SIP",
    "IAX2",
    "iax2",
    "DAHDI",
    "Local",
    "local",
    "LOCAL",
    "Pjſip",
)
LETTERS = "".join(sorted(DIAL_OPTIONS)) + "v1\u00c3"
ARGUMENTS = (
    *("", "()", "(out)", "(x^out)", "(out^s^1)", "(internal^s^1)", "(out^s^1(a^b))", "(981)"),
    *("(100)", "(9)", "(s^1)", "(1:2)", "(hello)", "(internal", '("out"^s^1)', "(out^s^1)(x)"),
)
SOUND_OPTIONS = (
    *("r", "m(jazz)", "g", "tT", "L(60000:1000)", "S(9)", "f(100)", "o(200)", "f", "D(12:3)"),
    *("U(out)", "U(internal^a)", "b(out^s^1)", "B(internal^s^1(a^b))", "F(default^s^1)"),
    *("G(out^s^1)", "M(out^a)", "A(hello)", "Q(16)", "n(1)", "e"),
)
NAMES = (
    *("A", "__B", "CAMPAIGN", "PJSIP_HEADER(add,X-A)", "PJSIP_HEADER(add,X-B)", "QUEUE_PRIO"),
    *("_QUEUE_PRIO", "CALLERID(num)", "DIALER_X", "__DIALER_X", " A", '"A"', "FILE(/x)"),
    *("PJSIP_HEADER(add\\,X-A)", '"PJSIP_HEADER(add,X-A)"', "monitor_exec", "A B"),
)
CALLERS = (
    *("100", "Bank <100>", '"B" <1-00>', "200", "A <200>", "100 <200>", "A <100> <200>", "555"),
    *("A <200> <100>", "A", "(100)", "A <100", '"<100>" <200>', "A <10\\0>"),
)
APPLICATIONS = (
    *("Dial", "dial", "DIAL", "Wait", "Playback", "Queue", "Page", "RetryDial", "AddMe"),
    *("System", "Echo", "\u017fet"),
)
ALLOWED = Policy(
    applications=frozenset({"Dial", "Wait", "Playback", "Queue", "Page", "RetryDial", "AddMe"}),
    technologies=frozenset({"PJSIP", "SIP", "IAX2", "DAHDI"}),
    endpoints=None,
    local_contexts=frozenset(CONTEXTS),
    gosub_contexts=frozenset({*CONTEXTS, "macro-out", "s", "x"}),
    dial_options=DIAL_OPTIONS,
    functions=frozenset({"PJSIP_HEADER(add,X-A)", "PJSIP_HEADER(add,X-B)", "QUEUE_PRIO"}),
    recording_profiles=frozenset({"stereo", "long"}),
)
"""What a client may do whose items then wait while its policy changes."""

LIMITS = {"endpoints": ENDPOINTS, "prefixes": ("98", "+98", "9", "t"), "caller_ids": ("100", "200")}
OWN = "555"
CLIENT = make_client(did=OWN, policy=ALLOWED, accountcode="acme")
ROUNDS = 1000
SEED = 20_261


def make_policy(random: Random) -> Policy:
    """`ALLOWED` with some lists narrowed to any selection, or spelled in another way."""
    lists: dict[str, frozenset[str]] = {}
    names = [f.name for f in fields(Policy)]
    for name in random.sample(names, k=random.choice((0, 1, 2, 3))):
        values = LIMITS.get(name) or sorted(getattr(ALLOWED, name))
        share = random.choice((0.3, 0.8))
        kept = frozenset(value for value in values if random.random() < share)
        if name in ("applications", "technologies") and random.random() < 0.5:
            kept = frozenset(value.lower() for value in kept)
        lists[name] = kept
    return replace(ALLOWED, **lists)


def make_dial_string(random: Random, wild: bool) -> str:
    tech = random.choice(TECHNOLOGIES if wild else TECHNOLOGIES[:9])
    number = random.choice(NUMBERS if wild else NUMBERS[:6])
    endpoint = random.choice(ENDPOINTS)
    if tech.lower() == "local":
        return f"{tech}/{number}@{random.choice(CONTEXTS)}{random.choice(('', '/n'))}"
    forms = (f"{number}@{endpoint}",) * 4 + (
        f"{endpoint}/{number}",
        f"{number}/{endpoint}",
        f"{endpoint}/{random.choice(ENDPOINTS)}",
        number,
        f"{number}@{endpoint}/{random.choice(ENDPOINTS)}",
        f"{number}@{endpoint}@{random.choice(ENDPOINTS)}",
        f"{endpoint}&{tech}/{number}",
        f"{number}@{endpoint}/nj",
    )
    return f"{tech}/{random.choice(forms if wild else forms[:8])}"


def make_options(random: Random, wild: bool) -> str:
    if not wild:
        return "".join(random.choices(SOUND_OPTIONS, k=random.choice((0, 1, 2))))
    letters = random.choices(LETTERS, k=random.choice((1, 2)))
    return "".join(letter + random.choice(ARGUMENTS) for letter in letters)


def make_data(random: Random, application: str, wild: bool) -> str:
    target = make_dial_string(random, wild)
    name = application.lower()
    if name == "page" and not wild:
        return random.choice((target, f"{target},dq,9"))
    if name in ("dial", "retrydial") or wild:
        options = make_options(random, wild)
        data = random.choice((target, f"{target},30", f"{target},30,{options}"))
        if name == "retrydial":
            return f"hello,1,1,{data}"
        return f",30,{options}" if random.random() < 0.1 else data
    if name == "addme":
        return random.choice(("1", f"x,{target}", f"x,(y,{target})"))
    return {"wait": "1", "playback": "hello", "queue": "sales"}.get(name, "")


def make_action(random: Random, wild: bool) -> dict[str, Any]:
    action: dict[str, Any] = {"Action": "Originate", "Channel": make_dial_string(random, wild)}
    if random.random() < 0.8:
        dial = random.random() < 0.6
        action["Application"] = (
            "Dial" if dial else random.choice(APPLICATIONS if wild else APPLICATIONS[:9])
        )
        action["Data"] = make_data(random, action["Application"], wild)
        if wild and random.random() < 0.1:
            action["Data"] = f'"{action["Data"][:5]}"{action["Data"][5:]}'
    if random.random() < 0.3:
        names = random.choices(NAMES if wild else NAMES[:6], k=random.choice((1, 1, 2)))
        action["Variable"] = ",".join(f"{name}=v" for name in names)
    if random.random() < 0.1:
        action["PreDialGoSub"] = f"{random.choice(CONTEXTS)}{random.choice((',s,1', '^s^1', ''))}"
    return action


def make_sibling(random: Random, action: dict[str, Any]) -> dict[str, Any]:
    """The same call to other numbers."""
    numbers = iter(random.choices(NUMBERS[:9], k=2))
    others: dict[str, Any] = {
        name: re.sub(r"(?<=/)[^/@]+(?=@)", next(numbers), action[name])
        for name in ("Channel", "Data")
        if name in action
    }
    return {**action, **others}


def make_batch(random: Random) -> dict[str, Any]:
    """Some items that share what is not their own; they go one way together through ingest."""
    shared: dict[str, Any] = {"asterisk_server_code": "server1"}
    dids: list[str] | None = None
    shared_action: dict[str, Any] = {}
    wild, where = random.random() < 0.3, random.random()
    if where < 0.2:
        shared["caller_id"] = random.choice(CALLERS)
    elif where < 0.4:
        shared_action["CallerID"] = random.choice(CALLERS)
    elif where < 0.6:
        dids = [random.choice(CALLERS)]
    if random.random() < 0.2:
        profiles = ("stereo", "long", "default", "stereo", "rm -rf /")
        shared["mix_monitor_command"] = random.choice(profiles)
    if random.random() < 0.2:
        shared["create_recording"] = True
    actions = [make_action(random, wild) for _ in range(random.choice((1, 2, 4)))]
    if random.random() < 0.5:
        actions = [actions[0], *(make_sibling(random, actions[0]) for _ in range(3))]
    items = [{**shared, "action": {**shared_action, **action}} for action in actions]
    return {"batch_id": 1, "dids": dids, "data": items}


def ingest(batch: dict[str, Any], client: Client) -> list[NewItem]:
    # Not in ASCII alone, so that what is plain to read takes its short way, and the rest the long.
    body = json.dumps(batch, ensure_ascii=False).encode()
    return build_batch(parse_batch(body), client, {"server1": 7}, lambda: "our-id")


def dial(item: NewItem, client: Client) -> bytes:
    return serialize(
        build_originate(
            make_item(payload=item.payload, number=item.number, caller_id=item.caller_id),
            client,
            channel_id="our-channel",
            action_id="our-action",
            cdr_id="our-cdr",
            max_duration=7200,
            policy=client.policy,
        )
    )


def rules_of(batch: dict[str, Any], client: Client) -> set[str]:
    """The messages with which ingest refuses a batch of one item; none where it takes it."""
    try:
        ingest(batch, client)
    except Refused as refused:
        return {error.message for error in refused.errors}
    return set()


def rule_at_dial_time(item: NewItem, client: Client) -> str | None:
    try:
        dial(item, client)
    except Refused as refused:
        (error,) = refused.errors
        return error.message
    return None


# The other reading.


def find_breach(heard: Heard, policy: Policy) -> str | None:
    """What on the wire lies outside a list of the policy."""
    told = {name.decode(): value.decode() for name, value in heard.variables()}
    application = heard.header("Application").decode() or told["DIALER_APPLICATION"]
    data = heard.header("Data").decode() if heard.header("Application") else told["DIALER_DATA"]
    default = (application, data) == ("Wait", "1")
    if not default and application.lower() not in {name.lower() for name in policy.applications}:
        return f"application {application}"
    targets = [heard.header("Channel").decode(), *find_targets(application, data)]
    for target in targets:
        if fault := find_fault(read_dial_string(target), policy):
            return f"{fault} in {target}"
    caller = heard.header("CallerID").decode()
    if caller and (fault := find_caller_fault(caller, policy)):
        return fault
    ours = ("DIALER_RECORDING", "DIALER_FORMAT", "DIALER_PROFILE", "DIALER_APPLICATION")
    for name in told:
        known = name in (*ours, "DIALER_DATA", "TIMEOUT(absolute)") or name in policy.functions
        if not known and (not name.isidentifier() or is_reserved(name) or "DIALER_" in name):
            return f"variable {name}"
    if "DIALER_PROFILE" in told:
        profile = told["DIALER_PROFILE"]
        if profile != "default" and profile not in policy.recording_profiles:
            return f"profile {profile}"
    return find_option_fault(application, data, policy)


def find_targets(application: str, data: str) -> list[str]:
    """Whatever the application may call."""
    arguments = split_arguments(data)
    if application in ("Dial", "Page"):
        return arguments[0].split("&")
    if application == "RetryDial":
        return arguments[3].split("&")
    known = [word for word in arguments if word.partition("/")[0].upper() in ("PJSIP", "SIP")]
    return known if application == "AddMe" else []


def find_fault(called: Called, policy: Policy) -> str | None:
    if called.context is not None:
        if called.context not in policy.local_contexts:
            return f"context {called.context}"
    elif called.tech not in {name.upper() for name in policy.technologies}:
        return f"technology {called.tech}"
    if policy.endpoints is not None and not policy.endpoints.issuperset(called.endpoints):
        return f"endpoints {called.endpoints}"
    if policy.prefixes is not None and not any(map(called.number.startswith, policy.prefixes)):
        return f"number {called.number}"
    return None


def find_caller_fault(caller: str, policy: Policy) -> str | None:
    number = read_caller_number(caller)
    if policy.caller_ids is None or caller == OWN or number in (policy.caller_ids | {OWN}):
        return None
    return f"caller ID {caller}"


def find_option_fault(application: str, data: str, policy: Policy) -> str | None:
    place = {"Dial": 2, "RetryDial": 5}.get(application, 99)
    for options in split_arguments(data)[place:]:
        for letter, argument in read_options(options):
            if letter not in policy.dial_options:
                return f"option {letter}"
            context = find_context(letter, argument)
            if context is not None and context not in policy.gosub_contexts:
                return f"option {letter} into {context}"
            if letter in "fo" and argument and find_caller_fault(argument, policy):
                return f"option {letter} as {argument}"
    return None


@cache
def judge() -> Counter[str]:
    """All rounds; what became of their items. Raises AssertionError with what went wrong."""
    random, tally = Random(SEED), Counter[str]()
    for number in range(ROUNDS):
        batch, policy = make_batch(random), make_policy(random)
        narrowed = replace(CLIENT, policy=policy)
        try:
            whole = ingest(batch, narrowed)
        except Refused:
            tally["batches refused"] += 1
        else:
            tally["batches taken"] += 1
            for item in whole:
                judge_sent(item, narrowed, f"round {number}")
        for entry in batch["data"]:
            alone = {**batch, "data": [entry]}
            if rules_of(alone, CLIENT):
                tally["never taken"] += 1
                continue
            (waiting,) = ingest(alone, CLIENT)
            judge_sent(waiting, CLIENT, f"round {number}, {entry}")
            rules, rule = rules_of(alone, narrowed), rule_at_dial_time(waiting, narrowed)
            assert (rule in rules) if rules else (rule is None), f"{entry} {policy}: {rules} {rule}"
            tally[rule or "passed both"] += 1
    return tally


def judge_sent(item: NewItem, client: Client, where: str) -> None:
    """What ingest took goes out under the same policy, and within each of its lists."""
    try:
        (heard,), rest = hear(dial(item, client))
    except Refused as refused:
        raise AssertionError(f"{where}: taken, then refused: {refused}\n{item}") from refused
    breach = find_breach(heard, client.policy)
    wrong = breach or heard.error or rest
    assert not wrong, f"{where}: {wrong!r}\n{heard}\n{client.policy}"


def test_what_passes_obeys_every_list_and_both_checks_agree() -> None:
    tally = judge()
    assert tally["batches taken"] > 200
    assert tally["batches refused"] > 100
    assert tally["passed both"] > 700


@pytest.mark.parametrize(
    "words",
    [
        *("application", "technology", "endpoint '", "as an endpoint", "Local context", "prefixes"),
        *("PreDialGoSub", "Dial option", ": context '", "number of the caller ID", "NUMBER"),
        *("Asterisk itself acts", "variable name '", "recording profile", "IAX2/name"),
    ],
)
def test_every_rule_was_met_by_items_that_waited(words: str) -> None:
    assert sum(count for rule, count in judge().items() if words in rule) >= 2


# Texts that nobody thought of.

TEXTS = st.text(alphabet="98+#@/&,^()<>\"\\ '%:;=_.-aUG\u0669\u00c3", max_size=16)
STRICT = Policy(
    applications=frozenset({"Dial", "AddMe", "RetryDial", "Page"}),
    endpoints=frozenset({"a", "98"}),
    local_contexts=frozenset({"a"}),
    gosub_contexts=frozenset({"a"}),
    dial_options=DIAL_OPTIONS,
    functions=frozenset({"A(a)", "A"}),
    prefixes=frozenset({"98"}),
    caller_ids=frozenset({"98"}),
)
FREE = st.fixed_dictionaries(
    {
        "Channel": st.one_of(
            st.just("PJSIP/98@a"), TEXTS.map("PJSIP/98{}@a".format), TEXTS.map("SIP/{}".format)
        ),
        "Application": st.sampled_from(sorted(STRICT.applications)),
        "Data": st.one_of(
            TEXTS.map("PJSIP/98{}@a".format),
            TEXTS.map("PJSIP/98@a,30,{}".format),
            TEXTS.map("PJSIP/98@a,30,U(a{})".format),
            TEXTS.map("x,1,1,PJSIP/{}".format),
            TEXTS,
        ),
        "CallerID": st.one_of(
            st.just("98"), TEXTS, TEXTS.map("A <98{}>".format), TEXTS.map("{}<98>".format)
        ),
    },
    optional={"Variable": TEXTS.map("A(a){}=1".format) | TEXTS.map("A={}".format)},
)


@settings(max_examples=150, deadline=None)
@given(FREE)
def test_free_texts_obey_the_lists(action: dict[str, Any]) -> None:
    client = replace(CLIENT, policy=STRICT)
    item = {"asterisk_server_code": "server1", "action": {"Action": "Originate", **action}}
    try:
        (taken,) = ingest({"batch_id": 1, "data": [item]}, client)
    except Refused:
        return
    judge_sent(taken, client, "free text")
