"""The number in a caller ID, as Asterisk finds it."""

import re
from typing import Final

# main/callerid.c, ast_callerid_parse: the number stands between the last `<` and the `>` behind it,
# or is the whole text where that is nothing but a number. Texts that make its parser guess (a
# second bracket, quotes that do not pair, escapes, anything behind the `>`) are none of these.
_NUMBER: Final = r"[0-9*#+ ().\-]+"
_CALLER_ID: Final = re.compile(
    rf'(?:"[^"<>\\]*" *|[^"<>\\]*)<(?P<inner>{_NUMBER})>|(?P<whole>{_NUMBER})'
)
# ast_shrink_phone_number drops these; a full stop at the end stays, and makes a text no number.
_DROPPED: Final = str.maketrans("", "", " ().-")


def find_number(text: str) -> str | None:
    """The digits (with * # +) that Asterisk takes `text` to carry as its number, None where there
    is none or where one could be argued about."""
    match = _CALLER_ID.fullmatch(text)
    if match is None:
        return None
    written = match["inner"] or match["whole"]
    if written.endswith("."):
        return None
    return written.translate(_DROPPED) or None
