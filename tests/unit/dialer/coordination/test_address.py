"""Redis' address, read from a URL."""

import pytest

from dialer.coordination.address import RedisAddress, parse_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://redis", RedisAddress("redis")),
        ("redis://10.0.0.1:6400", RedisAddress("10.0.0.1", 6400)),
        ("redis://10.0.0.1:6400/", RedisAddress("10.0.0.1", 6400)),
        ("redis://redis/3", RedisAddress("redis", db=3)),
        ("redis://:se%2Fcret@redis", RedisAddress("redis", password="se/cret")),
        ("redis://me:pw@[::1]:1/2", RedisAddress("::1", 1, None, 2, "me", "pw")),
        ("unix:///run/redis.sock", RedisAddress(path="/run/redis.sock")),
        (
            "unix://me:pw@/run/redis.sock?db=4",
            RedisAddress(path="/run/redis.sock", db=4, user="me", password="pw"),
        ),
    ],
)
def test_what_a_url_means(url: str, address: RedisAddress) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rediss://redis", "no TLS"),
        ("http://redis", "must begin with redis://"),
        ("redis", "must begin with redis://"),
        ("redis://", "names no host"),
        ("redis://redis:0", "port"),
        ("redis://redis:70000", "port"),
        ("redis://redis:port", "port"),
        ("redis://[::1", "is no URL"),
        ("redis://redis/one", "database"),
        ("redis://redis/-1", "database"),
        ("redis://redis/1?db=2", "may hold no ?"),
        ("redis://:half#word@redis", "names no host|may hold no #"),
        ("redis://redis/0#x", "may hold no #"),
        ("redis://me@redis", "without a password"),
        ("unix://run/redis.sock", "names no socket"),
        ("unix:///", "names no socket"),
        ("unix:///run/redis.sock?timeout=1", "db=NUMBER and nothing else"),
    ],
)
def test_what_is_refused_and_why(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_address(url)


def test_no_text_holds_the_password() -> None:
    address = parse_address("redis://me:hunter2@redis:6380/1")
    assert str(address) == "redis:6380, database 1"
    assert str(parse_address("unix:///run/redis.sock")) == "/run/redis.sock"
    assert "hunter2" not in repr(address)
    with pytest.raises(ValueError, match="database") as refusal:
        parse_address("redis://me:hunter2@redis/x")
    assert "hunter2" not in str(refusal.value)
