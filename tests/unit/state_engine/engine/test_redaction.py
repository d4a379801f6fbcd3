"""Showing changes of a resource with a secret: structure stays, values do not."""

from __future__ import annotations

import pytest

from protocol.reports import Change
from state_engine.engine.redaction import HIDDEN, MASK, redacted, spoken
from state_engine.references import Reference
from tests.fakes.ports import FakePorts
from tests.fakes.resources import a_file

REFERENCE = Reference("db", 2, "ab" * 32)
FILE = a_file("/f", f"-- user app\nkey: {REFERENCE}\n", sensitive=("content",))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--- /f", "--- /f"),
        ("+key: hunter22", "+key: (secret db v2)"),
        ("-key: older", "-key: (secret db, as it was)"),
        (" key: hunter22", " key: (secret db v2)"),
        (" -- user app", " -- user app"),
        ("-token: whatever", f"-{HIDDEN}"),
        ("@@ -1,2 +1,2 @@", "@@ -1,2 +1,2 @@"),
        ("\\ No newline at end of the new file", "\\ No newline at end of the new file"),
        ("-", "-"),
    ],
)
def test_a_line_is_shown_as_far_as_the_module_says_it(line: str, shown: str) -> None:
    """The rest may hold an older secret."""
    change = Change("content", "sha256:a", "sha256:b", diff=(line,))
    (made,) = redacted((change,), FILE, None, FakePorts())
    assert made.diff == (shown,)


def test_a_removed_line_that_looks_like_a_header_is_not_one() -> None:
    """`--- x` after the first two lines is the line `-- x` taken out."""
    diff = ("--- /f", "+++ /f", "@@ -1 +1 @@", "--- secret words")
    change = Change("content", "sha256:a", "sha256:b", diff=diff)
    (made,) = redacted((change,), FILE, None, FakePorts())
    assert made.diff == (*diff[:3], f"-{HIDDEN}")


def test_digests_of_a_text_with_a_secret_become_keyed() -> None:
    """A plain digest would let a reader try out guesses; equal finds stay seen to be equal.

    What is found has no mark that a module could get by saying the same: it would be told so.
    """
    ports = FakePorts()
    one, other = Change("any", "sha256:a", "sha256:b"), Change("any", "sha256:b", "sha256:a")
    made, again, swapped = redacted((one, one, other), FILE, None, ports)
    assert made == again
    assert {made.current, made.desired}.isdisjoint({swapped.current, swapped.desired})
    assert "sha256" not in str((made, swapped))


def test_other_fields_are_shown_as_they_are() -> None:
    """A mode is no secret."""
    change = Change("mode", "0644", "0600")
    assert redacted((change,), FILE, None, FakePorts()) == (change,)


def test_specifications_show_which_version_takes_the_place_of_which() -> None:
    """They hold references; a sensitive text without one is masked whole."""
    new = Reference("db", 3, "cd" * 32)
    after = a_file("/f", f"key: {new}\n", sensitive=("content",))
    change = Change("content", f"key: {REFERENCE}", f"key: {new}")
    (made,) = spoken((change,), [after, FILE])
    assert (made.current, made.desired) == ("key: (secret db v2)", "key: (secret db v3)")
    opaque = a_file("/f", "hunter22", sensitive=("content",))
    (made,) = spoken((Change("content", None, "hunter22"),), [opaque])
    assert (made.current, made.desired) == (None, MASK)
