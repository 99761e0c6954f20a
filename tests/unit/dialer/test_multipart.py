"""Multipart forms, as curl writes them, and what is none."""

from typing import Final

import pytest
from httpx import Request
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.multipart import LONGEST_HEAD, is_multipart, parse_multipart
from dialer.php_query import MOST_PARAMETERS, BadParameters, build_query, parse_form

CURL: Final = (
    b"--------------------------d74496d66958873e\r\n"
    b'Content-Disposition: form-data; name="page"\r\n\r\n1\r\n'
    b"--------------------------d74496d66958873e\r\n"
    b'Content-Disposition: form-data; name="filters[date_between][]"\r\n\r\n2024-01-01\r\n'
    b"--------------------------d74496d66958873e\r\n"
    b'Content-Disposition: form-data; name="filters[date_between][]"\r\n'
    b"Content-Type: text/plain; charset=UTF-8\r\n\r\n2024-01-15\r\n"
    b"--------------------------d74496d66958873e\r\n"
    b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n1,2\r\n'
    b"--------------------------d74496d66958873e--\r\n"
)
NAME: Final = b'Content-Disposition: form-data; name="a"'


def write(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B" + end


def test_fields_are_nested_and_files_passed_over() -> None:
    assert is_multipart(CURL)
    dates = {"0": "2024-01-01", "1": "2024-01-15"}
    assert parse_multipart(CURL) == {"page": "1", "filters": {"date_between": dates}}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=50, deadline=None)
@given(values=st.dictionaries(st.sampled_from(["a", "b[x]", "b[y][]", "é"]), TEXTS, min_size=1))
def test_it_gives_what_the_same_fields_urlencoded_give(values: dict[str, str]) -> None:
    files = {name: (None, value.encode()) for name, value in values.items()}
    body = Request("POST", "http://a", files=files).read()
    assert is_multipart(body)
    assert parse_multipart(body) == parse_form(build_query(values))


def test_names_without_quotes_and_with_escaped_ones() -> None:
    bare = write(b"content-disposition:form-data;name=a\r\n\r\nx")
    assert parse_multipart(bare) == {"a": "x"}
    escaped = write(b'Content-Disposition: form-data; name="a\\"b"\r\n\r\nx\r\n\r\ny')
    assert parse_multipart(escaped) == {'a"b': "x\r\n\r\ny"}


@pytest.mark.parametrize("body", [b"", b"page=1", b"--a=1", b'{"page": 1}', b"--\r\nx", b"-B\r\n"])
def test_other_bodies_are_none(body: bytes) -> None:
    assert not is_multipart(body)
    with pytest.raises(BadParameters):
        parse_multipart(body)


@pytest.mark.parametrize(
    "body",
    [
        CURL[:-4],
        write(NAME + b"\r\n\r\nx", end=b""),
        write(NAME),
        write(b"\r\nx"),
        write(NAME + b"\r\n" + NAME + b"\r\n\r\nx"),
        write(b"Content-Disposition: form-data; size=1\r\n\r\nx"),
        write(NAME + b"\r\n\r\n\xff"),
        write(NAME + b"\r\n\r\nx\r\n--Bx\r\n" + NAME + b"\r\n\r\ny"),
        write(NAME + b"; x=" + b"y" * LONGEST_HEAD + b"\r\n\r\nx"),
        write(*[NAME + b"\r\n\r\nx"] * (MOST_PARAMETERS + 1)),
    ],
)
def test_what_is_cut_off_too_much_or_no_field_is_refused(body: bytes) -> None:
    with pytest.raises(BadParameters):
        parse_multipart(body)
