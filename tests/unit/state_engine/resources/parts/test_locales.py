"""Names of locales, the archive, the list and the defaults."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state_engine.resources.parts import locales


@pytest.mark.parametrize(
    ("name", "filed"),
    [
        ("de_DE.UTF-8", "de_DE.utf8"),
        ("de_DE", "de_DE"),
        ("de_DE.ISO-8859-1", "de_DE.iso88591"),
        ("de_DE@euro", "de_DE@euro"),
        ("sr_RS.UTF-8@latin", "sr_RS.utf8@latin"),
        ("x.8859-1", "x.iso88591"),
    ],
)
def test_a_name_is_filed_as_glibc_files_it(name: str, filed: str) -> None:
    assert locales.normal(name) == filed


def archive(*entries: tuple[str, int]) -> bytes:
    texts, body = b"", b""
    start = 56 + 12 * len(entries)
    for name, record in entries:
        body += struct.pack("=3I", 1, start + len(texts), record)
        texts += name.encode() + b"\0"
    head = struct.pack("=14I", 0xDE020109, 1, 56, len(entries), len(entries), *([0] * 9))
    return head + body + texts


def test_an_archive_names_what_it_holds() -> None:
    """Names of one record are one locale; one that was deleted has no record."""
    held = locales.archived(archive(("de_DE", 5), ("de_DE.iso88591", 5), ("fr", 0), ("it", 9)))
    assert held == {"de_DE": 5, "de_DE.iso88591": 5, "it": 9}
    assert locales.names_of("de_DE.ISO-8859-1", held) == ("de_DE", "de_DE.iso88591")
    assert locales.names_of("fr", held) == ()


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_a_torn_archive_is_refused_or_read(tail: bytes, size: int) -> None:
    data = struct.pack("=5I", 0xDE020109, 1, 56, 1, size) + tail
    try:
        found = locales.archived(data)
    except ValueError:
        return
    assert len(found) <= len(data)


def test_the_list_keeps_all_other_lines() -> None:
    text = b"# This file lists\n\n# de_DE ISO-8859-1\n  # de_DE.UTF-8 UTF-8\nfr_FR.UTF-8 UTF-8\n"
    with_it = locales.with_listed(text, "de_DE.UTF-8", "UTF-8", present=True)
    assert with_it == text.replace(b"  # de_DE.UTF-8", b"de_DE.UTF-8")
    assert locales.listed(with_it, "de_DE.UTF-8")
    assert not locales.listed(with_it, "de_DE")
    assert locales.with_listed(with_it, "de_DE.UTF-8", "UTF-8", present=True) == with_it
    gone = locales.with_listed(with_it, "de_DE.UTF-8", "", present=False)
    assert gone == text.replace(b"  # de", b"# de")
    added = locales.with_listed(b"x", "it_IT", "ISO-8859-1", present=True)
    assert added == b"x\nit_IT ISO-8859-1\n"


def test_defaults_are_set_once_and_taken_out() -> None:
    text = b'# theirs\nLANG=C\nexport LC_TIME="en_GB.UTF-8"\nLANG=de_DE\n'
    assert locales.variables(text) == {"LANG": "de_DE", "LC_TIME": "en_GB.UTF-8"}
    found = locales.with_variables(text, ["LANG", "LC_PAPER"], "fr_FR")
    assert found == b'# theirs\nexport LC_TIME="en_GB.UTF-8"\nLANG=fr_FR\nLC_PAPER=fr_FR\n'
    assert locales.with_variables(found, ["LANG", "LC_TIME", "LC_PAPER"], None) == b"# theirs\n"


def test_the_charset_is_what_the_host_knows() -> None:
    supported = "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\n"
    assert locales.charset_of("de_DE", supported) == "ISO-8859-1"
    assert locales.charset_of("de", supported) is None
