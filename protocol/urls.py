"""The web addresses that a host is given: one strict form, so that none can trip who dials it.

A host keeps the addresses that it was enrolled with, so a bad one must be refused at the door.
"""

from __future__ import annotations

import re

from protocol.errors import DecodeError

# Eight addresses of 255 characters are 2 KiB, half of an enrolment key.
MAX_URL = 255
MAX_URLS = 8

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_URL = re.compile(
    rf"(?P<scheme>https?)://({_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]{{2,45}}\])"
    r"(:(?P<port>[0-9]{1,5}))?(/[A-Za-z0-9._~%/-]*)?\Z"
)


def check_urls(urls: tuple[str, ...], what: str, *, secure: bool = False) -> None:
    """Check 1 to 8 addresses: `http(s)://host[:port][/path]`, plain ASCII; https only if `secure`.

    Raises:
        DecodeError: one breaks the rule; `what` names what holds them.
    """
    if not 1 <= len(urls) <= MAX_URLS:
        raise DecodeError(f"{what} names 1 to {MAX_URLS} urls, not {len(urls)}")
    for url in urls:
        found = _URL.match(url) if len(url) <= MAX_URL else None
        if found is None or not 1 <= int(found["port"] or 1) <= 65_535:
            raise DecodeError(f"{what} names {url[:80]!r}, which is not http(s)://host[:port]")
        if secure and found["scheme"] != "https":
            raise DecodeError(f"{what} names https urls, not {url[:80]!r}")
