"""Taking secrets out of output."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import textwrap
from urllib.parse import quote, quote_plus

import pytest

from protocol.reports import CapturedStream
from state_engine.engine.scrub import MARK, scrub_captured, scrub_cut, scrubber, unchanged

VALUE = "pa ss/wörd?1"


def test_values_and_their_lines_are_replaced() -> None:
    """A key of several lines is hidden line by line too; the longest match goes first."""
    scrub = scrubber(["hunter22", "hunter", "first line\nsecond line\n", "ab"])
    assert scrub("pw=hunter22 hunter.") == f"pw={MARK} {MARK}."
    assert scrub("> second line") == f"> {MARK}"
    assert scrub("ab stays: it is too short to be hidden") == (
        "ab stays: it is too short to be hidden"
    )


def test_both_streams_are_scrubbed_and_the_rest_is_kept() -> None:
    """Exit code and truncation say nothing secret."""
    captured = CapturedStream(3, "hunter22", "x hunter22", truncated=True)
    clean = scrub_captured(captured, scrubber(["hunter22"]))
    assert clean == CapturedStream(3, MARK, f"x {MARK}", truncated=True)
    assert scrub_captured(captured, unchanged) == captured


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(f"user:{VALUE}".encode()).decode(),
        base64.urlsafe_b64encode(b"x" + VALUE.encode()).decode(),
        base64.b64encode(b"xy" + VALUE.encode() + b"tail").decode(),
        json.dumps({"a": VALUE}),
        json.dumps({"a": VALUE}, ensure_ascii=False),
        "https://h/?p=" + quote(VALUE, safe=""),
        "p=" + quote_plus(VALUE),
        VALUE.encode().hex(),
    ],
)
def test_usual_spellings_of_a_value_are_replaced_too(text: str) -> None:
    """In base64 at any place in it, in JSON, in an address, in hexadecimal."""
    clean = scrubber([VALUE])(text)
    assert MARK in clean
    assert scrubber([VALUE])(clean) == clean


def test_a_value_that_was_cut_leaves_no_half() -> None:
    """Where bytes were left out, and at the end of a text that somebody shortened."""
    scrub = scrubber(["correct horse battery"])
    text = "a correct horse\n[12 bytes left out]\norse battery b"
    clean = scrub_captured(CapturedStream(0, text, "", truncated=True), scrub)
    assert clean.stdout == f"a {MARK}\n[12 bytes left out]\n{MARK} b"
    assert scrub_cut("failed: correct hor", scrub) == f"failed: {MARK}"
    assert scrub_cut("failed: corr", unchanged) == "failed: corr"


LONG = "correct-horse-battery-staple-" * 4 + "end"
QUOTED = 'it\'s <a> "50%" $ecret & more'


@pytest.mark.parametrize(
    "text",
    [
        base64.encodebytes(LONG.encode()).decode(),
        "x\n" + base64.encodebytes(b"ab" + LONG.encode() + b"tail").decode() + "y",
        "\n".join(textwrap.wrap(LONG.encode().hex(), 60)),
        "\n".join(f"    {line}" for line in textwrap.wrap(LONG, 40)),
        base64.encodebytes(LONG.encode()).decode().replace("\n", "\r\n"),
    ],
)
def test_a_value_that_was_folded_into_lines_is_replaced(text: str) -> None:
    """As `base64` and `xxd -p` write it; the lines before and after stay."""
    clean = scrubber([LONG])(text)
    digits = [line for line in clean.split("\n") if len(line.strip()) > 30]
    assert digits == []
    assert MARK in clean
    for around in ("x", "y"):
        assert (around in text.split("\n")) == (around in clean.split("\n"))
    long_words = "\n".join(["a" * 40, "b" * 40])
    assert scrubber([LONG])(long_words) == long_words


@pytest.mark.parametrize(
    "text",
    [
        shlex.quote(QUOTED),
        "+ curl -u '" + QUOTED.replace("'", "'\\''") + "'",
        re.sub(r"([^A-Za-z0-9])", r"\\\1", QUOTED),
        re.escape(QUOTED),
        repr(QUOTED),
        html.escape(QUOTED),
        html.escape(QUOTED, quote=False),
        '"' + re.sub(r"([\"$`\\])", r"\\\1", QUOTED) + '"',
        "INSERT ('" + QUOTED.replace("'", "''") + "')",
        "Environment=" + QUOTED.replace("%", "%%"),
    ],
)
def test_a_quoted_value_is_replaced(text: str) -> None:
    """As shells trace it, and as programs, mark-up and databases write it."""
    clean = scrubber([QUOTED])(text)
    assert "more" not in clean
    assert MARK in clean


def test_a_mark_that_a_program_prints_does_not_hide_the_true_one() -> None:
    """Output may quote other output, with a mark of its own; each may be where the cut is."""
    scrub = scrubber(["correct horse battery"])
    text = "quoted\n[1 bytes left out]\nx correct hor\n[12 bytes left out]\nse battery b"
    clean = scrub_captured(CapturedStream(0, text, text, truncated=True), scrub)
    assert "correct" not in clean.stdout
    assert "se battery" not in clean.stderr


def test_a_cut_within_a_letter_hides_the_half_before_it() -> None:
    """Bytes are left out, not letters."""
    scrub = scrubber(["correct hörse"])
    text = b"pw correct h\xc3\n[9 bytes left out]\n\xb6rse now".decode("utf-8", "replace")
    clean = scrub_captured(CapturedStream(0, text, "", truncated=True), scrub)
    assert clean.stdout == f"pw {MARK}\n[9 bytes left out]\n\ufffdrse now"
