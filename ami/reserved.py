"""What Asterisk acts on by itself in a client's plain-looking text: names of channel variables, and
marks that begin an evaluation.

Asterisk's own code reads these variables from a channel wherever a call passes by (calls of
pbx_builtin_getvar_helper in Asterisk 20 to 23): the value becomes a program that is run, a file, a
place in the dialplan, or other people's rights over the call.
"""

import re
from typing import Final

# Regular expressions, for names without their leading underscores, in upper case.
RESERVED: Final[dict[str, str]] = {
    r"MONITOR_.*": "Queue hands it to MixMonitor: its program, file and options",
    r"(?:AUTO_?|TOUCH_)(?:MIX)?MON.*": "recordings begun by a key: their program, file and options",
    r"MIXMONITOR.*": "MixMonitor's own",
    r"DYNAMIC_.*": "feature codes that run applications",
    r"BRIDGE_.*": "feature codes and sounds of a bridge",
    r"GOSUB_.*": "where the dialplan goes after a Gosub",
    r"MACRO_.*": "where the dialplan goes after a Macro",
    r"(?:END_)?(?:WHILE|IF)_.*": "where the dialplan goes after While and If",
    r"(?:.*_)?CONNECTED_LINE_.*": "dialplan that runs when the connected line changes",
    r"(?:.*_)?REDIRECTING_.*": "dialplan that runs when a call is redirected",
    r"TRANSFER_.*|(?:ATTENDED|BLIND)_?TRANSFER.*": "where transfers go, and what they play",
    r"GOTO_ON_BLINDXFR": "where the dialplan goes after a transfer",
    r"FORWARD_CONTEXT": "where forwarded calls go",
    r"(?:SPY_)?EXIT_?CONTEXT": "where a key leads out of an application",
    r"PARK(?:ING|ER).*": "parking lots, made and found, and whom a parked call rings",
    r"PICKUPMARK": "who may pick up the call",
    r"SPYGROUP": "who may listen to the call",
    r"OUTBOUND_GROUP(?:_ONCE)?": "the groups that calls are counted in",
    r"QUEUE_(?:PRIO|(?:MAX|MIN|RAISE)_PENALTY)": "a call's place in a queue before others",
    r"(?:CONF_)?LIMIT_.*_FILE": "files that are played",
    r"MVM_.*": "files that are mailed",
    r"AGI(?:EXECFULL|EXITONHANGUP|SIGHUP)": "how AGI programs run and end",
    r"DUNDIDIALARGS": "options of a Dial",
    r"TESTTIME": "the time that conditions are asked at",
    r"SIP(?:ADDHEADER|REFER|REPLACES|TRANSFER).*": "SIP headers",
    r"SIPFROMDOMAIN|SIPURIPHONECONTEXT|VXML_URL": "whom SIP calls, and as whom",
    r"SIP_(?:URI_OPTIONS|MAX_FORWARDS|CODEC.*)": "the called SIP URI, its hops and codecs",
    r"IAX2?OSPTOKEN|OSP(?:TOKEN|INTOKEN|OUTTOKEN)": "tokens that pay for a call elsewhere",
    r"AST[A-Z]*DIR": "Asterisk's folders, as the dialplan reads them",
}
"""Pattern → what Asterisk does with such a variable."""

_RESERVED: Final = re.compile("|".join(RESERVED))

# `^{` is written for `${` in what MixMonitor and Gosub get later. A backslash or quote between
# the two characters is eaten on the way.
_EVALUATED: Final = re.compile(r'\$[\\"]*[{\[]|\^[\\"]*\{')


def is_reserved(name: str) -> bool:
    """Whether Asterisk itself acts on a variable of this name, in any case and with any leading
    underscores (which make a variable inherited)."""
    return _RESERVED.fullmatch(name.lstrip("_").upper()) is not None


def find_evaluated(text: str) -> str | None:
    """The first mark in `text` (`${`, `$[`, `^{`) that Asterisk may evaluate, or None."""
    if "{" not in text and "[" not in text:
        return None
    found = _EVALUATED.search(text)
    return found[0] if found is not None else None
