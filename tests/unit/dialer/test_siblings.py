"""Items that share most fields come out as if each were alone in its batch."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.batch import build_batch
from dialer.bodies import parse_batch
from dialer.errors import Refused
from dialer.policy import Policy
from dialer.siblings import Family
from dialer.store.contract import NewItem
from tests.unit.dialer.builders import make_client

LISTED = Policy(
    endpoints=frozenset({"t", "u"}),
    local_contexts=frozenset({"out"}),
    functions=frozenset({"PJSIP_HEADER(add,X-A)"}),
    prefixes=frozenset({"98", "1"}),
)
CHANNELS = [
    "PJSIP/9812@t", "PJSIP/9813@t", "PJSIP/9812@u", "PJSIP/7@t", "PJSIP/9812@v", "pjsip/9812@t",
    "PJSIP/t/9812", "PJSIP/9812", "Local/9812@out", "Local/9812@in", "DAHDI/9812@t", "",
    "PJSIP/9812@t/n", "PJSIP/DB1@t", "PJSIP/" + "9" * 300 + "@t", "PJSIP/9812@t,30", None,
    " PJSIP/9812@t", "PJSIP/98&12@t", 7,
]  # fmt: skip
DATA = [
    "PJSIP/9812@t,30", "PJSIP/9814@t,30", "PJSIP/9812@t", "PJSIP/9812@t,0", "PJSIP/9812@t,30,G(x)",
    "PJSIP/9812@t,30,r", "PJSIP/DB12@t,30", "PJSIP/7@t,30", "PJSIP/9812@v,30", "Local/1@out,3", "1",
    "beep", "PJSIP/9812@t,30," + "r" * 985, "PJSIP/9812@t&PJSIP/1@t,30", ",30", "${X}", " x",
    "PJSIP/1" + "2" * 1000 + "@t,30", "", None,
]  # fmt: skip
VARIABLES = [None, "", "A=1", "A=1,B=2", "DIALER_X=1", "FILE(/x)=1", "PJSIP_HEADER(add,X-A)=v", "A"]
IDS = [None, "", "call-0001", "call-0002", "short", "a b", "x" * 200]
CONTACTS = [None, 0, 9812, "9812", "0098", "+98", "x", 10**17, -1, True]
APPLICATIONS = [None, "Dial", "dial", "Playback", "Wait", "System"]

own = st.fixed_dictionaries(
    {},
    optional={
        "Channel": st.sampled_from(CHANNELS[:4] * 4 + CHANNELS),
        "Data": st.sampled_from(DATA[:3] * 4 + DATA),
        "Variable": st.sampled_from(VARIABLES),
        "ActionID": st.sampled_from(IDS),
        "ChannelId": st.sampled_from(IDS),
        "OtherChannelId": st.sampled_from([None, "call-0001-other", "call-0001"]),
    },
)
shared = st.fixed_dictionaries(
    {"Application": st.sampled_from(APPLICATIONS)},
    optional={"Timeout": st.sampled_from([20000, "20000", 5]), "CallerID": st.just("Us <1001>")},
)
around = st.fixed_dictionaries(
    {"asterisk_server_code": st.just("server1")},
    optional={
        "create_recording": st.booleans(),
        "recording_format": st.sampled_from(["wav", "WAV", "mp3"]),
        "retry": st.sampled_from([0, 3, "3"]),
        "project": st.sampled_from(["p", "ñ", "a\x01b", 'q"']),
        "deadline": st.just("2027-01-01T00:00:00"),
        "call_status": st.sampled_from(["pending", "gone"]),
    },
)
batches = st.builds(
    lambda frames, items: [
        {
            **frames[n % len(frames)][0],
            **contact,
            "action": {**frames[n % len(frames)][1], **action},
        }
        for n, (action, contact) in enumerate(items)
    ],
    st.lists(
        st.tuples(around, shared.map(lambda action: {"Action": "Originate", **action})),
        min_size=1,
        max_size=2,
    ),
    st.lists(
        st.tuples(
            own,
            st.fixed_dictionaries({}, optional={"contact_number": st.sampled_from(CONTACTS)}),
        ),
        min_size=1,
        max_size=8,
    ),
)


def build(data: list[dict[str, Any]], policy: Policy) -> list[NewItem] | list[tuple[Any, ...]]:
    body = json.dumps({"batch_id": 1, "data": data}).encode()
    client = make_client(policy=policy, did="555")
    try:
        return build_batch(parse_batch(body), client, {"server1": 7}, lambda: "ours")
    except Refused as refused:
        return [(error.index, error.field, error.message) for error in refused.errors]


@pytest.mark.parametrize("policy", [Policy(), LISTED], ids=["default", "listed"])
@settings(max_examples=100)
@given(batches)
def test_together_as_alone(policy: Policy, data: list[dict[str, Any]]) -> None:
    alone = [build([item], policy) for item in data]
    faults = [
        (index, field, message)
        for index, found in enumerate(alone)
        for fault in found
        if not isinstance(fault, NewItem)
        for _, field, message in [fault]
    ]
    together = build(data, policy)
    if faults:
        assert together == faults
    else:
        assert together == list(itertools.chain.from_iterable(alone))
        texts = [item.payload_json for item in together if isinstance(item, NewItem)]
        assert all(json.loads(text) for text in texts)


def test_siblings_go_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would compare the long way with itself."""
    taken: list[NewItem | None] = []
    make = Family.make

    def note(*args: Any) -> NewItem | None:
        taken.append(make(*args))
        return taken[-1]

    monkeypatch.setattr(Family, "make", note)
    data = [
        {
            "asterisk_server_code": "server1",
            "contact_number": 100 + n,
            "action": {
                "Action": "Originate",
                "Channel": f"PJSIP/98{n}@t",
                "Application": "dial",
                "Data": f"PJSIP/1{n}@t,30",
                "ActionID": f"call-{n}",
            },
        }
        for n in range(10)
    ]
    build(data, Policy())
    assert len([item for item in taken if item is not None]) == 9


def test_an_application_in_another_case_keeps_its_grammar() -> None:
    good = {"Action": "Originate", "Channel": "PJSIP/1@t", "Application": "dial"}
    data = [
        {"asterisk_server_code": "server1", "action": {**good, "Data": text}}
        for text in ("PJSIP/1@t,30", "PJSIP/1@t,30,G(evil^s^1)")
    ]
    assert build(data, Policy()) == [(1, "action.Data", "Dial option 'G' is not allowed")]
