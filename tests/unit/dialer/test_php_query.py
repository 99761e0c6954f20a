"""PHP's queries and forms, against what PHP itself makes of the same parameters."""

import json
import random
import shutil
import subprocess
from typing import Any, Final

import pytest

from dialer import php_query
from dialer.php_query import (
    BadParameters,
    build_query,
    check_hash,
    hash_params,
    list_values,
    nest,
    parse_form,
)
from tests.required import skip_unless_required

KEY: Final = "your_api_key"
DOCUMENT: Final[dict[str, Any]] = {
    "page": 1,
    "filters": {
        "date_between": ["2024-01-01 00:00:00", "2024-01-15 23:59:59"],
        **dict.fromkeys(
            (
                *("project_id", "user_id", "inbound_route_id", "direction", "call_status"),
                *("telephone_like", "telephone", "source", "destination", "hour_between"),
                *("from_id", "uniqueid", "linkedid", "has_transcription", "has_monitor_file"),
                *("has_recording_file", "external_id"),
            )
        ),
    },
}
DOCUMENT_HASH: Final = "ff9a6b157cb1f79db73e7507635f878a"
BUILD: Final = (
    "foreach (json_decode(stream_get_contents(STDIN), true) as $params)"
    " { $query = http_build_query($params);"
    " $made[] = array($query, md5($query . 'your_api_key')); }"
    " echo json_encode($made);"
)
PARSE: Final = (
    "foreach (json_decode(stream_get_contents(STDIN)) as $text)"
    " { parse_str($text, $found); $made[] = $found; } echo json_encode($made, JSON_FORCE_OBJECT);"
)
TEXTS: Final = (
    *(
        "",
        "0",
        "a b",
        "a+b",
        "~-_.!*'()",
        "%41",
        "&=;#?/",
        "[0]",
        "a[b]",
        "ünïcödé",
        "日本語",
        "😀",
    ),
    *("\n\r\t\0", '"\\', "+49 30 123", "2024-01-01 00:00:00", "http://x/?y=z&w=1"),
)


def run_php(code: str, given: list[Any]) -> list[Any]:
    """What a real PHP makes of the JSON `given`. Skips where there is none, unless one must be."""
    php = shutil.which("php")
    if php is None:
        skip_unless_required("needs PHP: apt-get install php-cli")
    ran = subprocess.run(
        [php, "-r", code], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    made: list[Any] = json.loads(ran.stdout)
    return made if isinstance(made, list) else list(made.values())


def make_value(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(10 if depth else 7)
    if kind >= 7:
        length = rng.randrange(4)
        if rng.random() < 0.5:
            return [make_value(rng, depth - 1) for _ in range(length)]
        return {make_text(rng): make_value(rng, depth - 1) for _ in range(length)}
    number = rng.choice((0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 10**30))
    return (
        None,
        rng.random() < 0.5,
        number,
        rng.uniform(-1, 1) * 10 ** rng.randrange(-20, 30),
        make_text(rng),
        make_text(rng) + make_text(rng),
        float(rng.randrange(-5, 5)) or 0.5,
    )[kind]


def make_text(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(TEXTS)
    return "".join(chr(rng.choice((rng.randrange(1, 128), 0xE9, 0x4E2D))) for _ in range(4))


def make_params(seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    return {make_text(rng): make_value(rng, 3) for _ in range(rng.randrange(6))}


def test_the_documents_example_hashes_to_its_value() -> None:
    assert hash_params(DOCUMENT, KEY) == DOCUMENT_HASH
    assert check_hash(DOCUMENT | {"api_hash": DOCUMENT_HASH}, KEY)
    assert check_hash(DOCUMENT | {"api_hash": DOCUMENT_HASH.upper()}, KEY)


def test_queries_are_those_of_php() -> None:
    cases = [make_params(seed) for seed in range(1500)]
    made = run_php(BUILD, cases)
    wrong = [
        (params, theirs)
        for params, theirs in zip(cases, made, strict=True)
        if theirs != [build_query(params), hash_params(params, KEY)]
    ]
    assert wrong == []
    assert len({hashed for _, hashed in made}) > 1000


def test_forms_are_read_as_php_reads_them() -> None:
    rng = random.Random(7)
    names = [
        "page",
        "filters[a]",
        "filters[a][0]",
        "filters[a][]",
        "filters[b][c d]",
        "l[]",
        "l[7]",
    ]
    names += ["filters[b][c][d]", "x[y]z", "page[0]", "filters%5Bdate%5D%5B1%5D", "ü[ä]"]
    texts = []
    for _ in range(500):
        pairs = [f"{rng.choice(names)}={rng.choice(('1', 'a+b', '%26', '', 'ä', 'x=y'))}"]
        pairs += [f"{rng.choice(names)}={n}" for n in range(rng.randrange(8))]
        texts.append("&".join(pairs))
    for text, theirs in zip(texts, run_php(PARSE, texts), strict=True):
        assert parse_form(text) == theirs, text


def test_what_was_built_is_read_back() -> None:
    query = build_query(DOCUMENT)
    assert parse_form(query) == {
        "page": "1",
        "filters": {"date_between": {"0": "2024-01-01 00:00:00", "1": "2024-01-15 23:59:59"}},
    }
    assert build_query(parse_form(query)) == query
    assert check_hash(parse_form(f"{query}&api_hash={DOCUMENT_HASH}"), KEY)


def test_bracketed_keys_of_json_are_nested() -> None:
    flat = {
        "page": 1,
        "filters[date_between][0]": "2024-01-01 00:00:00",
        "filters[date_between][1]": "2024-01-15 23:59:59",
        "filters[project_id]": None,
    }
    assert nest(flat)["filters"]["project_id"] is None
    assert list_values(nest(flat)["filters"]["date_between"]) == [
        "2024-01-01 00:00:00",
        "2024-01-15 23:59:59",
    ]
    assert check_hash(flat | {"api_hash": DOCUMENT_HASH}, KEY)


def test_bracketed_keys_in_any_order_are_hashed_as_they_were_sent_or_as_they_are_read() -> None:
    mixed = {"filters[a]": "1", "page": "2", "filters[b]": "3"}
    sent = "filters%5Ba%5D=1&page=2&filters%5Bb%5D=3"
    assert build_query(mixed) == sent
    assert check_hash(mixed | {"api_hash": hash_params(mixed, KEY)}, KEY)
    assert check_hash(mixed | {"api_hash": hash_params(nest(mixed), KEY)}, KEY)
    assert hash_params(nest(mixed), KEY) != hash_params(mixed, KEY)


@pytest.mark.parametrize(
    "given", [None, "", "x", 7, [], {}, "0" * 32, "ä" * 32, DOCUMENT_HASH[:-1]]
)
def test_another_hash_is_none(given: object) -> None:
    assert not check_hash(DOCUMENT | {"api_hash": given}, KEY)
    assert not check_hash(DOCUMENT, KEY)


def test_every_part_and_the_key_count() -> None:
    hashes = {
        hash_params(DOCUMENT, KEY),
        hash_params(DOCUMENT, "another"),
        hash_params(DOCUMENT | {"page": 2}, KEY),
        hash_params({"filters": DOCUMENT["filters"], "page": 1}, KEY),
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    "text",
    [
        "a=%ff",
        "%ff=1",
        "&".join(f"a{n}=1" for n in range(1001)),
        "a" + "[b]" * php_query.DEEPEST + "=1",
    ],
)
def test_forms_out_of_bounds_are_refused(text: str) -> None:
    with pytest.raises(BadParameters):
        parse_form(text)


def test_json_out_of_bounds_is_refused() -> None:
    with pytest.raises(BadParameters):
        nest({str(n): 1 for n in range(1001)})


def test_odd_names_stay_names() -> None:
    assert parse_form("a[b=1&=2&[x]=3&&c") == {"a[b": "1", "[x]": "3", "c": ""}


def test_what_is_no_list_has_no_values() -> None:
    assert list_values("x") is None
    assert list_values(None) is None
    assert list_values([1, 2]) == [1, 2]
