"""Addresses that a host is given are dialled for years, so only what can be dialled is taken."""

from __future__ import annotations

import pytest

from protocol.errors import DecodeError
from protocol.urls import MAX_URL, MAX_URLS, check_urls


@pytest.mark.parametrize(
    "url",
    [
        "https://coordinator.example:4748",
        "http://127.0.0.1:1",
        "https://[2001:db8::1]:65535/base/",
        "https://my_host.internal./a-b~c%20d",
        "https://h",
    ],
)
def test_what_can_be_dialled_is_taken(url: str) -> None:
    """Names, addresses, ports and a path."""
    check_urls((url,), "a test")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://h",
        "https://",
        "https:///path",
        "https://h:0",
        "https://h:65536",
        "https://h:",
        "https://h:1x",
        "https://[",
        "https://[::1",
        "https://" + "a" * 64,
        "https://a..b",
        "https://-a",
        "https://a b",
        "https://ä.example",
        "https://a\0b",
        "https://a/\r\nHost: b",
        "https://user@h",
        "https://h?q",
        "https://h#f",
        "https://h\n",
        "https://h/" + "x" * MAX_URL,
    ],
)
def test_what_cannot_be_dialled_is_refused(url: str) -> None:
    """One bad address among good ones is enough."""
    with pytest.raises(DecodeError, match="a test"):
        check_urls(("https://good.example", url), "a test")


def test_there_is_one_address_at_least_and_few_at_most() -> None:
    """None leads nowhere, and a thousand are no list of coordinators."""
    for count in (0, MAX_URLS + 1):
        with pytest.raises(DecodeError, match="1 to 8"):
            check_urls(("https://h",) * count, "a test")


def test_where_it_must_be_secure_plain_is_refused() -> None:
    """A datagram from the network never leads to a link without TLS."""
    with pytest.raises(DecodeError, match="https"):
        check_urls(("http://h",), "a test", secure=True)
