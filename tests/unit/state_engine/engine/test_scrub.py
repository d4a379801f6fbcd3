"""Taking secrets out of output."""

from __future__ import annotations

import base64
import json
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
