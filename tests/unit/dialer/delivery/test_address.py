import socket
from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.delivery.address import ForbiddenAddress, check_address, find_fault, is_forbidden


def read(text: str) -> list[str]:
    return text.split()


FORBIDDEN = read("""
0.0.0.0 0.0.0.1 0.255.255.255
10.0.0.0 10.0.0.1 10.255.255.255
100.64.0.0 100.64.0.1 100.100.100.200 100.127.255.255
127.0.0.0 127.0.0.1 127.1.2.3 127.255.255.255
168.63.129.16
169.254.0.0 169.254.169.254 169.254.170.2 169.254.255.255
172.16.0.0 172.17.0.1 172.31.255.255
192.0.0.0 192.0.0.8 192.0.0.170 192.0.0.192 192.0.0.255
192.0.2.0 192.0.2.255
192.31.196.1 192.52.193.1 192.88.99.1 192.175.48.1
192.168.0.0 192.168.1.1 192.168.255.255
198.18.0.0 198.19.255.255
198.51.100.1 203.0.113.1
224.0.0.0 224.0.0.1 239.255.255.255
240.0.0.0 250.1.2.3 255.255.255.254 255.255.255.255
:: ::1 ::2 ::7f00:1 ::127.0.0.1 ::8.8.8.8 ::a9fe:a9fe
::ffff:0.0.0.0 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:192.168.0.1
::ffff:100.64.0.1 ::ffff:a9fe:a9fe ::ffff:224.0.0.1 ::ffff:255.255.255.255 ::ffff:192.0.0.192
::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b::8.8.8.8
64:ff9b:1::1 64:ff9b:1:ffff::a9fe:a9fe
100::1 100::ffff:ffff:ffff:ffff 100:0:0:1::1
2001::1 2001:0:7f00:1:: 2001:0:4136:e378:8000:63bf:3fff:fdd2
2001:2::1 2001:3::1 2001:10::1 2001:20::1 2001:1::1 2001:1ff:ffff::1
2001:db8::1 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff
2002:7f00:1:: 2002:a9fe:a9fe:: 2002:a00:1::1 2002:808:808::1
2620:4f:8000::1 3fff::1 3fff:fff:ffff::1 5f00::1
fc00::1 fd00::1 fd00:ec2::254 fdff:ffff::1
fe80::1 fe80::1%eth0 febf::1 fec0::1 feff::1
ff00::1 ff02::1 ff0e::1 ffff::1
200::1 400::1 4000::1 6000::1 8000::1 a000::1 c000::1 e000::1 f000::1
""")

ALLOWED = read("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0
192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 203.0.112.255
223.255.255.255 ::ffff:8.8.8.8 ::ffff:1.1.1.1
2001:200::1 2001:4860:4860::8888 2001:db7::1 2001:db9::1 2003::1 2400:cb00::1 2606:4700::1111
2a00:1450:4001::1 3ffe::1
""")


def test_there_are_enough_vectors() -> None:
    assert len(set(FORBIDDEN)) >= 100
    assert len(set(ALLOWED)) >= 30


@pytest.mark.parametrize("address", FORBIDDEN)
def test_forbidden(address: str) -> None:
    assert is_forbidden(address)
    with pytest.raises(ForbiddenAddress, match="forbidden address"):
        check_address(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_allowed(address: str) -> None:
    assert is_forbidden(address) is None
    check_address(address)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "NAT64"),
        ("2002:7f00:1::", "6to4"),
        ("2001:0:7f00:1::", "Teredo"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("100.64.0.1", "carrier-NAT"),
        ("not an address", "unreadable"),
        ("", "unreadable"),
        ("2130706433", "unreadable"),
        ("127.1", "unreadable"),
        ("0177.0.0.1", "unreadable"),
    ],
)
def test_reasons(address: str, reason: str) -> None:
    assert is_forbidden(address) == reason


@settings(max_examples=100)
@given(st.ip_addresses())
def test_nothing_that_python_calls_private_passes(
    address: object,
) -> None:
    ip = ip_address(str(address))
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return
    if not ip.is_global or ip.is_multicast:
        assert is_forbidden(ip)


@settings(max_examples=50)
@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_by_what_it_carries(address: object) -> None:
    assert is_forbidden(f"::ffff:{address}") == is_forbidden(str(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/x",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://0X7F.0.0.1/",
        "http://127.0.1./",
        "http://10.1/",
        "http://0xa9.0376.43518/",
        "http://2852039166/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fe80::1%25eth0]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
    ],
)
def test_addresses_seen_in_the_url_are_refused(url: str) -> None:
    fault = find_fault(url)
    assert fault is not None
    assert fault.startswith("leads to a")
    assert find_fault(url, allow_private=True) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://user:pass@example.com/",
        "http://user@example.com/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://[::1/",
        "http://exa mple.com/",
        "http://example.com/\r\nX: y",
        "http://example.com/" + "a" * 2048,
    ],
)
def test_what_is_no_usable_url_is_refused_always(url: str) -> None:
    assert find_fault(url)
    assert find_fault(url, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://client.com/callback",
        "http://client.com:8080/callback?token=1#part",
        "https://8.8.8.8/",
        "https://134744072/",
        "https://0x08.8.2056/",
        "https://4294967296/",
        "https://127.256.0.1/",
        "https://127.0.0.0.1/",
        "https://08.1.1.1/",
        "https://127.0.0.1.example/",
        "https://[2606:4700::1111]:444/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_usable_urls(url: str) -> None:
    assert find_fault(url) is None


@settings(max_examples=100)
@given(st.from_regex(r"(0[xX]?)?[0-9a-f]{1,10}(\.(0[xX]?)?[0-9]{1,6}){0,3}", fullmatch=True))
def test_spellings_are_read_as_the_system_reads_them(host: str) -> None:
    try:
        address: str | None = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        address = None
    reason = is_forbidden(address) if address else None
    assert find_fault(f"http://{host}/") == (f"leads to a {reason} address" if reason else None)


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_no_url_raises(text: str) -> None:
    find_fault(text)
    find_fault("http://" + text)
