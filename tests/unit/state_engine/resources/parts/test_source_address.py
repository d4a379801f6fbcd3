"""Addresses of content, and their digests."""

from __future__ import annotations

import pytest

from state_engine.resources.parts.source_address import check_source

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "source",
    [
        "https://example.org/a?b=c",
        "http://[::1]:8080/a",
        "file:///srv/a%20b",
        f"artifact:{DIGEST}",
    ],
)
def test_an_address_with_a_digest_is_fine(source: str) -> None:
    assert check_source(source, DIGEST) == []


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/etc/motd",
        "ftp://example.org/a",
        "https:///a",
        "https://user:hunter2@example.org/a",
        "https://example.org:port/a",
        "https://exämple.org/a",
        "https://example.org/a b",
        "https://example.org/a\nX: y",
        "file://host/a",
        "file:a",
        "artifact:" + "f" * 64,
        "http://[::1/a",
        "https://example.org/" + "a" * 2_048,
    ],
)
def test_anything_else_is_refused_without_repeating_a_password(source: str) -> None:
    [problem] = check_source(source, DIGEST)
    assert problem.field == "source"
    assert "hunter2" not in problem.message


def test_neither_comes_without_the_other() -> None:
    """Content that nobody checks gets nowhere."""
    assert check_source(None, None) == []
    assert [problem.field for problem in check_source("file:///a", None)] == ["source"]
    assert [problem.field for problem in check_source(None, DIGEST, "key", "sum")] == ["sum"]
    for wrong in ("", DIGEST.upper(), DIGEST + "0", "md5:" + DIGEST):
        assert [problem.field for problem in check_source("file:///a", wrong)] == ["sha256"]
