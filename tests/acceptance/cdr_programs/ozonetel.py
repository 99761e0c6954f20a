"""A client of Ozonetel's reports: fetches a token, then a day's calls page by page, prints them.

python ozonetel.py HOST:PORT API_KEY USER_NAME YYYY-MM-DD PAGE_SIZE
"""

import http.client
import json
import sys
from typing import Any


def call(host: str, method: str, path: str, headers: dict[str, str], body: object) -> Any:
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        headers = {"Content-Type": "application/json", **headers}
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = json.load(answer)
    finally:
        connection.close()
    assert answer.status == 200, content
    return content


def main(host: str, api_key: str, username: str, day: str, size: str) -> None:
    path = "/ca_apis/caToken/generateToken"
    token = call(host, "POST", path, {"apiKey": api_key}, {"userName": username})["token"]
    asked = {"fromDate": f"{day} 00:00:00", "toDate": f"{day} 23:59:59", "userName": username}
    details: list[dict[str, Any]] = []
    number = 1
    while True:
        path = f"/ca_reports/fetchCdrByPagination?pageNo={number}&pageSize={size}"
        page = call(host, "GET", path, {"Authorization": f"Bearer {token}"}, asked)
        assert page["status"] == "success"
        details += page["details"]
        if len(details) >= page["totalCount"] or not page["details"]:
            break
        number += 1
    print(json.dumps(details))


main(*sys.argv[1:])
