"""Unified diffs of text for people, bounded in size and work. Digests decide; this only shows."""

from __future__ import annotations

# difflib is quadratic in the worst case: 2,000 lines against 2,000 stay below about a second.
MAX_INPUT_LINES = 2_000
# 400 lines of at most 500 characters: 200 KB, so a few such items fit a 1 MiB message.
MAX_DIFF_LINES = 400
MAX_LINE = 500


def unified(current: str, desired: str, path: str, *, created: bool = False) -> tuple[str, ...]:
    """Return unified diff lines, or () where the texts are too long to be compared for show."""
    import difflib  # 5 ms that a plan without differences need not pay

    old, new = current.splitlines(), desired.splitlines()
    if len(old) > MAX_INPUT_LINES or len(new) > MAX_INPUT_LINES:
        return ()
    source = "/dev/null" if created else path
    lines = list(difflib.unified_diff(old, new, source, path, lineterm="", n=3))
    if bool(current) and bool(desired) and current.endswith("\n") != desired.endswith("\n"):
        where = "the new" if current.endswith("\n") else "the old"
        lines.append(f"\\ No newline at end of {where} file")
    rest = len(lines) - MAX_DIFF_LINES
    if rest > 0:
        lines = [*lines[:MAX_DIFF_LINES], f"\\ {rest} more lines are not shown"]
    return tuple(_short(line) for line in lines)


def _short(line: str) -> str:
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…"
