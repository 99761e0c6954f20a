"""Names and marks that Asterisk acts on by itself."""

import re

import pytest

from ami.reserved import RESERVED, find_evaluated, is_reserved

# One real name for each pattern: what Asterisk 20 to 23 read from a channel.
ACTED_ON = [
    "SIP_URI_OPTIONS",
    "__SIP_URI_OPTIONS",
    "SIP_CODEC_OUTBOUND",
    "SIP_MAX_FORWARDS",
    "IAX2OSPTOKEN",
    "OSPTOKEN",
    "MONITOR_EXEC",
    "MONITOR_FILENAME",
    "MONITOR_OPTIONS",
    "AUTOMONITOR",
    "TOUCH_MONITOR",
    "TOUCH_MIXMONITOR_FORMAT",
    "TOUCH_MIXMONITOR",
    "MIXMONITOR_FILENAME",
    "DYNAMIC_FEATURES",
    "BRIDGE_FEATURES",
    "BRIDGE_PLAY_SOUND",
    "GOSUB_RESULT",
    "MACRO_CONTEXT",
    "WHILE_0",
    "END_WHILE_0",
    "END_IF_0",
    "CONNECTED_LINE_SEND_SUB",
    "CONNECTED_LINE_CALLEE_SEND_MACRO",
    "REDIRECTING_SEND_SUB",
    "REDIRECTING_CALLER_SEND_MACRO",
    "MY_REDIRECTING_SEND_SUB",
    "TRANSFER_CONTEXT",
    "TRANSFER_EXTEN",
    "ATTENDED_TRANSFER_COMPLETE_SOUND",
    "BLINDTRANSFER",
    "GOTO_ON_BLINDXFR",
    "FORWARD_CONTEXT",
    "EXITCONTEXT",
    "SPY_EXIT_CONTEXT",
    "PARKINGLOT",
    "PARKINGDYNCONTEXT",
    "PARKER",
    "PICKUPMARK",
    "SPYGROUP",
    "OUTBOUND_GROUP",
    "OUTBOUND_GROUP_ONCE",
    "QUEUE_PRIO",
    "QUEUE_MAX_PENALTY",
    "LIMIT_WARNING_FILE",
    "CONF_LIMIT_TIMEOUT_FILE",
    "MVM_FILENAME",
    "AGISIGHUP",
    "DUNDIDIALARGS",
    "TESTTIME",
    "SIPADDHEADER01",
    "SIPREFERREDBYHDR",
    "SIPREPLACESHDR",
    "SIPFROMDOMAIN",
    "VXML_URL",
    "ASTETCDIR",
]


@pytest.mark.parametrize("name", ACTED_ON)
def test_names_that_asterisk_acts_on(name: str) -> None:
    assert is_reserved(name)
    assert is_reserved(name.lower())
    assert is_reserved(f"_{name}")
    assert is_reserved(f"__{name.title()}")


@pytest.mark.parametrize("pattern", RESERVED)
def test_every_pattern_stands_for_a_name(pattern: str) -> None:
    assert any(re.fullmatch(pattern, name) for name in ACTED_ON)


@pytest.mark.parametrize(
    "name",
    ["A", "CAMPAIGN", "QUEUE_ID", "GROUP", "monitored", "AUTO_ID", "END_DATE", "PARK", "LIMIT",
     "TRANSFER", "CONTEXT_ID", "SIP_TRUNK", "__lead", "EXIT", "ASTERISK_DIR_ID", "_"],
)  # fmt: skip
def test_other_names_are_the_clients(name: str) -> None:
    assert not is_reserved(name)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("${X}", "${"),
        ("a$[1]", "$["),
        ("a^{X}", "^{"),
        ("a^^{", "^{"),
        ('$"{X}"', '$"{'),
        ("$\\{", "$\\{"),
        ('^\\"{', '^\\"{'),
    ],
)
def test_marks_of_an_evaluation(text: str, mark: str) -> None:
    assert find_evaluated(text) == mark


@pytest.mark.parametrize("text", ["", "$", "{a}[b]", "$ {", "^[", "5$", "{$", "$a{"])
def test_text_without_a_mark(text: str) -> None:
    assert find_evaluated(text) is None
