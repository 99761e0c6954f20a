"""Which addresses a client's callback may lead to: the public internet, and nothing else.

`ipaddress.is_global` is not enough: it takes 64:ff9b::a9fe:a9fe (NAT64 of the metadata address),
2002:7f00:1:: (6to4 of 127.0.0.1) and 192.0.0.192 for global. So the networks stand here, from the
IANA special-purpose registries (RFC 6890 and its updates), and of IPv6 only 2000::/3 is taken at
all. Addresses that carry an IPv4 address (mapped) are judged by it; translation and tunnel
prefixes are refused whatever they carry.
"""

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final
from urllib.parse import urlsplit

_V4: Final = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "this-network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-NAT"),  # holds 100.100.100.200, a metadata service
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "metadata"),  # a cloud's platform service on a public address
        ("169.254.0.0/16", "link-local"),  # holds 169.254.169.254, the metadata service
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol-assignment"),  # holds 192.0.0.192, a metadata service
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "multicast-relay"),
        ("192.88.99.0/24", "6to4-relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),  # with 255.255.255.255
    )
)

_V6: Final = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard-only"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol-assignment"),  # benchmarking, ORCHID, AMT and more
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment-routing"),
        ("fc00::/7", "private"),  # with fd00:ec2::254, a metadata service
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)

# One part of an IPv4 address in C's spellings: hexadecimal, octal, decimal.
_NUMBER: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,16}|0[0-7]{0,24}|[1-9][0-9]{0,15}")

_GLOBAL_V6: Final = IPv6Network("2000::/3")


class ForbiddenAddress(OSError):
    """A callback led to an address that it may not lead to. An `OSError`, because it takes the
    place of a connection that fails; `str` of it is fit for the record."""


def is_forbidden(address: str | IPv4Address | IPv6Address) -> str | None:
    """Why an address may not be connected to, in a word or two; None when it may. An address that
    is no IP address at all is "unreadable"."""
    try:
        ip = ip_address(address)
    except ValueError:
        return "unreadable"
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is None:
            return _judge_v6(ip)
        ip = ip.ipv4_mapped
    return next((reason for network, reason in _V4 if ip in network), None)


def check_address(address: str) -> None:
    """Raise `ForbiddenAddress` when `address` may not be connected to."""
    reason = is_forbidden(address)
    if reason is not None:
        raise ForbiddenAddress(f"callback leads to a forbidden address ({address}: {reason})")


def find_fault(url: str, allow_private: bool = False) -> str | None:
    """What is wrong with a callback URL as it is written, in a few words; None when nothing is.

    For refusing at the door what can be seen there; names are judged when they are connected to.
    """
    if len(url) > 2048 or any(c <= " " or c == "\x7f" for c in url):
        return "must be at most 2048 characters without spaces or control characters"
    try:
        parts = urlsplit(url)
        host, user, port = parts.hostname, parts.username, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "must begin with http:// or https:// and a host name"
    if user is not None or port == 0:
        return "must not carry a user name or port 0"
    if allow_private:
        return None
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        return "leads to a loopback address"
    literal = _read_literal(host)
    reason = is_forbidden(literal) if literal else None
    return f"leads to a {reason} address" if reason else None


def _judge_v6(ip: IPv6Address) -> str | None:
    for network, reason in _V6:
        if ip in network:
            return reason
    return None if ip in _GLOBAL_V6 else "reserved"


def _read_literal(host: str) -> str | None:
    """The IP address that a host is, in any spelling that `connect` would take (inet_aton(3):
    2130706433, 0x7f.1, 0177.0.0.1); None for a name."""
    if ":" in host:
        return host
    parts = host.removesuffix(".").split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    *heads, last = (int(part, _base_of(part)) for part in parts)
    value = sum(head << 8 * (3 - place) for place, head in enumerate(heads))
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        return None
    return str(IPv4Address(value + last))


def _base_of(number: str) -> int:
    if number[:2] in ("0x", "0X"):
        return 16
    return 8 if number[0] == "0" and number != "0" else 10
