"""What the kinds share that get content by address: the checks of an address and its digest.

No look outside; fetching is the source port's.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from state_engine.resources.contract import SpecProblem

SCHEMES = ("artifact", "file", "http", "https")
MAX_ADDRESS = 2_048
_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_source(
    source: str | None, sha256: str | None, field: str = "source", digest_field: str = "sha256"
) -> list[SpecProblem]:
    """Return what keeps an address and a digest from naming content; neither is fine."""
    problems: list[SpecProblem] = []
    if sha256 is not None and not _DIGEST.fullmatch(sha256):
        message = f"`{sha256}` is not a SHA-256"
        hint = "64 lower-case hex digits, as `sha256sum` prints them"
        problems.append(SpecProblem(digest_field, message, hint))
    if source is None:
        if sha256 is not None:
            problems.append(SpecProblem(digest_field, f"`{digest_field}` is that of `{field}`"))
        return problems
    if sha256 is None:
        message = f"`{field}` needs `{digest_field}`: the content is checked, always"
        problems.append(SpecProblem(field, message))
    if (wrong := _wrong(source)) is not None:
        problems.append(SpecProblem(field, wrong, f"start it with {', '.join(SCHEMES)}"))
    elif source.startswith("artifact:") and sha256 and source != f"artifact:{sha256}":
        message = f"`{source}` does not name what `{digest_field}` does"
        problems.append(SpecProblem(field, message))
    return problems


def _wrong(source: str) -> str | None:
    """Return what is wrong with an address, or None; a password is not repeated."""
    if len(source) > MAX_ADDRESS:
        return f"the address is longer than {MAX_ADDRESS} characters"
    if not source.isascii() or not source.isprintable() or " " in source:
        return "the address holds a space, a control character or one that is not ASCII"
    try:
        parts = urlsplit(source)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "the address is not valid"
    if parts.scheme not in SCHEMES:
        return f"`{parts.scheme}` is not a way to get content"
    if "@" in parts.netloc:
        return "the address holds a name or password"
    if parts.scheme in {"http", "https"} and not host:
        return "the address names no host"
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        return "a file of the host is `file:///` and its absolute path"
    return None
