"""Diffs for people."""

from __future__ import annotations

from state_engine.resources.parts import text_diff


def test_a_diff_shows_what_goes_and_what_comes() -> None:
    """A unified diff with the path in its head."""
    lines = text_diff.unified("a\nb\n", "a\nc\n", "/f")
    assert lines == ("--- /f", "+++ /f", "@@ -1,2 +1,2 @@", " a", "-b", "+c")


def test_a_new_file_is_compared_with_nothing() -> None:
    """The head says where the old side comes from."""
    assert text_diff.unified("", "a\n", "/f", created=True)[0] == "--- /dev/null"


def test_a_missing_last_newline_is_told() -> None:
    """Two texts that differ in nothing else do differ."""
    assert text_diff.unified("a", "a\n", "/f") == ("\\ No newline at end of the old file",)
    assert text_diff.unified("a\n", "a", "/f") == ("\\ No newline at end of the new file",)


def test_equal_texts_have_no_diff() -> None:
    """Nothing to show."""
    assert text_diff.unified("a\n", "a\n", "/f") == ()


def test_size_and_work_are_bounded() -> None:
    """Long texts show nothing, many lines are cut, long lines are cut."""
    assert text_diff.unified("a\n" * 3_000, "b\n", "/f") == ()
    many = text_diff.unified("", "".join(f"{n}\n" for n in range(1_000)), "/f")
    assert len(many) == text_diff.MAX_DIFF_LINES + 1
    assert "more lines" in many[-1]
    assert len(text_diff.unified("", "x" * 10_000, "/f")[-1]) <= text_diff.MAX_LINE + 1
