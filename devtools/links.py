"""`./dev docs`: the pages of the documentation, and whether every relative link leads somewhere."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent

FENCE = re.compile(r"^ {0,3}(```|~~~)")
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s+(\S+)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)

# Folders that hold no page of ours.
SKIPPED = frozenset({".git", ".venv", "node_modules", ".standfast", "build", "dist"})


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """A link that leads nowhere: the page, relative to the root, and its line, from 1."""

    page: str
    line: int
    target: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.target}: {self.reason}"


def pages(root: Path = ROOT) -> list[Path]:
    """Returns every Markdown file of the repository, sorted."""
    return sorted(
        path
        for path in root.rglob("*.md")
        if not SKIPPED.intersection(part for part in path.relative_to(root).parts)
        and not any(part.startswith(".") for part in path.relative_to(root).parts[:-1])
    )


def prose_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields the lines outside fenced code, with their numbers from 1."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        match = FENCE.match(line)
        if match and (not fence or match[1] == fence):
            fence = "" if fence else match[1]
        elif not fence:
            yield number, line


def headings(text: str) -> list[str]:
    """Returns the text of every heading, in order, without its marks and backquotes."""
    found = (HEADING.match(line) for _, line in prose_lines(text))
    return [match[1].replace("`", "").strip() for match in found if match]


def anchors(text: str) -> set[str]:
    """Returns the fragments that the page's headings give, as code hosts make them."""
    seen: dict[str, int] = {}
    result: set[str] = set()
    for heading in headings(text):
        kept = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        slug = kept.strip().replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        result.add(f"{slug}-{count}" if count else slug)
    return result


def targets(text: str) -> Iterator[tuple[int, str]]:
    """Yields every link target of a page, with its line."""
    for number, line in prose_lines(text):
        plain = INLINE_CODE.sub("``", line)
        definition = DEFINITION.match(plain)
        if definition:
            yield number, definition[1]
        for match in LINK.finditer(plain):
            yield number, match[1]


def problem_with(target: str, page: Path, root: Path) -> str | None:
    """Says what is wrong with one relative link, or None if it leads somewhere."""
    path_text, _, fragment = target.partition("#")
    aim = page if not path_text else (page.parent / unquote(path_text)).resolve()
    if path_text.startswith("/"):
        return "is absolute; a link inside the repository is relative"
    if not aim.is_relative_to(root.resolve()):
        return "leads out of the repository"
    if not aim.exists():
        return "there is no such file"
    if fragment and aim.suffix == ".md" and fragment not in anchors(aim.read_text("utf-8")):
        return "that page has no such heading"
    return None


def broken_links(root: Path = ROOT) -> list[BrokenLink]:
    """Returns every relative link that leads nowhere, in the order of pages and lines."""
    found: list[BrokenLink] = []
    for page in pages(root):
        for number, target in targets(page.read_text(encoding="utf-8")):
            if ELSEWHERE.match(target):
                continue
            reason = problem_with(target, page, root)
            if reason is not None:
                found.append(BrokenLink(str(page.relative_to(root)), number, target, reason))
    return found


def run_docs(arguments: list[str]) -> int:
    """Lists the pages with their titles, then what is broken; returns 0, 1 or 2 (usage).

    With `--write` it first writes the reference pages from the code.
    """
    if arguments not in ([], ["--write"]):
        sys.stderr.write("usage: ./dev docs [--write]\n")
        return 2
    if arguments:
        from devtools import reference

        reference.write()
    for page in pages():
        titles = headings(page.read_text(encoding="utf-8"))
        sys.stdout.write(f"{page.relative_to(ROOT)!s:<60} {titles[0] if titles else ''}\n")
    broken = broken_links()
    for link in broken:
        sys.stdout.write(f"broken: {link}\n")
    sys.stdout.write(f"{len(pages())} pages, {len(broken)} broken links\n")
    return 1 if broken else 0
