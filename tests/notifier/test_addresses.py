"""The guard over addresses."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenta.notifier.addresses import AddressGuard, AddressRefused, UrlRefused, is_public, networks

GUARD = AddressGuard()
LOOPBACK = AddressGuard(networks("127.0.0.0/8, ::1/128"))

INWARD = [
    "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.1",  # noqa: S104
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1",
          "198.17.0.1", "223.255.255.254", "2606:4700::1111", "2a00:1450:4001:800::200e"]  # fmt: skip


@pytest.mark.parametrize("address", INWARD)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not GUARD.allows(address, 443, secure=True)
    assert not LOOPBACK.allows(address, 443, secure=True) or address in ("127.0.0.1", "127.255.0.1", "::1")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_called_by_https_on_the_usual_ports(address: str) -> None:
    assert GUARD.allows(address, 443, secure=True)
    assert GUARD.allows(address, 8443, secure=True)
    for port in (0, 22, 80, 6379, 65535):
        assert not GUARD.allows(address, port, secure=True)
    assert not GUARD.allows(address, 443, secure=False)


def test_allowed_networks_are_called_anyhow() -> None:
    assert LOOPBACK.allows("127.0.0.1", 9000, secure=False)
    assert not LOOPBACK.allows("10.0.0.1", 443, secure=True)


@given(st.ip_addresses(v=4))
def test_nothing_that_python_calls_private_is_public(address: ipaddress.IPv4Address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved:
        assert not is_public(address)


@given(st.ip_addresses(v=6).filter(lambda address: address not in ipaddress.IPv6Network("2000::/3")))
def test_nothing_outside_global_unicast_is_public(address: ipaddress.IPv6Address) -> None:
    assert not is_public(address)


def test_the_socket_is_refused_whatever_the_name_was() -> None:
    make = GUARD.socket_factory(secure=True)
    with pytest.raises(AddressRefused):
        make((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443)))
    LOOPBACK.socket_factory(secure=False)((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))).close()


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x",
        "https://hooks.example.com:8443/x?y=z",
        "https://8.8.8.8/",
        "https://bücher.example/x",
        "https://[2606:4700::1111]/",
    ],
)
def test_good_urls(url: str) -> None:
    GUARD.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.com", "/x", "//example.com/x",
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com",
        "javascript:alert(1)", "http://example.com/", "https://example.com:22/", "https://example.com:6379/",
        "https://example.com:0/", "https://example.com:65536/", "https://example.com:x/", "https://", "https:///x",
        "https://user@example.com/", "https://user:pass@example.com/", "https://example.com/#here",
        "https://exa mple.com/",
        "https://example.com/\r\nHost: x", "https://example.com\\@127.0.0.1/", "https://127.0.0.1/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest", "https://[fe80::1%25eth0]/",
        "https://" + "a" * 2050,
        "https://10.0.0.1:8443/", "https://[::127.0.0.1]/",
    ],
)  # fmt: skip
def test_bad_urls_are_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(UrlRefused, match=r"\.$"):
        GUARD.check_url(url)


def test_odd_spellings_meet_the_guard_at_the_socket() -> None:
    for url in ("https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://localhost./"):
        try:
            found = GUARD.check_url(url)
        except UrlRefused:
            continue
        with pytest.raises(UrlRefused):
            GUARD.check_answers(found, ["127.0.0.1"])


def test_one_allowed_answer_is_enough_since_each_connect_is_checked() -> None:
    url = LOOPBACK.check_url("http://localhost:9000/")
    LOOPBACK.check_answers(url, ["::1", "127.0.0.1"])
    with pytest.raises(UrlRefused):
        AddressGuard(networks("127.0.0.0/8")).check_answers(url, ["::1"])
