"""Links of the documentation are followed as a reader's would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools import links


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Returns a small documentation with one page to link to."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "other.md").write_text(
        "# Other page\n\n## `GET /a/{b}`: what\n\n## Same\n## Same\n"
    )
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "theirs.md").write_text("[gone](gone.md)")
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "[ok](other.md)",
        "[ok](./other.md#other-page) and ![picture](other.md)",
        "[ok](other.md#get-ab-what)",
        "[ok](other.md#same-1)",
        "[ok](../docs)",
        "[ok](#here)\n\n# Here",
        "[elsewhere](https://example.org/x) <mailto:a@example.org>",
        "`[not a link](gone.md)`",
        "```text\n[not a link](gone.md)\n```",
        "[ok]: other.md",
        '[ok](other.md "with a title")',
    ],
)
def test_good_links_are_left_alone(root: Path, text: str) -> None:
    """What a reader can follow is not reported."""
    (root / "docs" / "page.md").write_text(text)
    assert links.broken_links(root) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[x](gone.md)", "no such file"),
        ("[x](other.md#gone)", "no such heading"),
        ("[x](#gone)", "no such heading"),
        ("[x](/docs/other.md)", "absolute"),
        ("[x](../../outside.md)", "out of the repository"),
        ("[x]: gone.md", "no such file"),
        ("[`code` in it](gone.md)", "no such file"),
    ],
)
def test_broken_links_are_reported_with_their_line(root: Path, text: str, reason: str) -> None:
    """Each names the page, the line, the target and what is wrong with it."""
    (root / "docs" / "page.md").write_text(f"# Page\n\n{text}\n")
    (found,) = links.broken_links(root)
    assert (found.page, found.line) == ("docs/page.md", 3)
    assert reason in found.reason
    assert str(found).startswith("docs/page.md:3: ")


def test_headings_lose_their_marks() -> None:
    """A heading is its text, without hashes and backquotes; fenced code has none."""
    text = "# One\n\n```sh\n# not one\n```\n\n### `standfast agents list` [--json] ###\n"
    assert links.headings(text) == ["One", "standfast agents list [--json]"]
