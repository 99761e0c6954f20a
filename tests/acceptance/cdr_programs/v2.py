"""A client of `/v2/cdr`: scrolls through everything and prints it.

    python v2.py BASE_URL TOKEN LIMIT [SCROLL_ID]

The last line is what to scroll on with.
"""

import json
import sys
import urllib.parse
import urllib.request


def fetch(url: str, token: str) -> dict[str, object]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: dict[str, object] = json.load(answer)
    return content


def main(base: str, token: str, limit: str, scroll_id: str = "") -> None:
    records: list[object] = []
    while True:
        query = {"limit": limit} | ({"scroll_id": scroll_id} if scroll_id else {})
        page = fetch(f"{base}/v2/cdr?{urllib.parse.urlencode(query)}", token)
        data = page["data"]
        assert isinstance(data, list)
        if not data:
            break
        records += data
        scroll_id = str(page["scroll_id"])
    print(json.dumps(records))
    print(scroll_id)


main(*sys.argv[1:])
