"""What the repository as a whole promises: links, decisions, locks, and no trace of one machine."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePosixPath

from devtools.links import broken_links
from tests.habits.tree import ROOT, own_files, text

# Put together from pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile("|".join((r"(?<![\w.])/" + "work/", "/root/" + r"\.", "/opt/" + "pypi")))
REGISTRIES = re.compile(
    "|".join(
        (
            "pypi" + r"\.org",
            "python" + r"hosted\.org",
            "npm" + r"js\.(?:org|com)",
            "crates" + r"\.io",
            "proxy" + r"\.golang\.org",
            "deb" + r"\.debian\.org",
        )
    )
)
CITATION = re.compile(r"(?:\bdecision(?: record)?|docs/decisions/|\.\./decisions/)\s*(\d{4})\b")
ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")
BINARY = {".png", ".ico", ".gz", ".zip", ".woff2"}


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """Returns `file:line: match` for every match in a file of ours."""
    return [
        f"{name}:{number}: {match[0]}"
        for name in own_files()
        if PurePosixPath(name).suffix not in BINARY
        for number, line in enumerate(text(name).splitlines(), start=1)
        for match in pattern.finditer(line)
    ]


def locked(name: str) -> dict[str, str]:
    """Returns the versions that a lock file names."""
    entries = (ENTRY.match(line) for line in text(name).splitlines())
    return {entry[1].lower().replace("_", "-"): entry[2] for entry in entries if entry}


def test_no_file_names_a_path_of_one_machine() -> None:
    """A clone works anywhere."""
    assert lines_with(MACHINE_PATHS) == []


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the installation's own choice."""
    assert lines_with(REGISTRIES) == []


def test_every_relative_link_leads_somewhere() -> None:
    """A page's links lead to a file of the repository, and to a heading that is there."""
    assert [str(link) for link in broken_links()] == []


def test_every_cited_decision_exists() -> None:
    """A comment that names a decision can be followed."""
    records = {path.name[:4] for path in (ROOT / "docs/decisions").glob("[0-9]*.md")}
    cited = {
        (name, match[1])
        for name in own_files()
        if PurePosixPath(name).suffix not in BINARY
        for match in CITATION.finditer(text(name))
    }
    assert {(name, number) for name, number in cited if number not in records} == set()


def test_decisions_are_numbered_without_gaps() -> None:
    """Decision records count from 0001, and each says what it weighed."""
    names = sorted(path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert [name[:4] for name in names] == [f"{n:04}" for n in range(1, len(names) + 1)]
    parts = ("## Context", "## Choice", "## Weighed and rejected", "## How we would know")
    lacking = [
        f"{name} lacks {part!r}"
        for name in names
        for part in parts
        if part not in text(f"docs/decisions/{name}")
    ]
    assert lacking == []


def test_the_locks_hold_hashes_and_no_addresses() -> None:
    """Every locked package has a hash, and no line says where to download."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        blocks = re.split(r"\n(?=\S)", text(name).strip())
        assert [block for block in blocks if "--hash=sha256:" not in block] == []
        assert re.findall(r"://|^--|-index|find-links", text(name), re.MULTILINE) == []


def test_the_development_lock_holds_the_runtime_lock() -> None:
    """Tests run the very versions that an installation runs."""
    runtime, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {key: value for key, value in runtime.items() if dev.get(key) != value} == {}


def test_every_dependency_is_locked() -> None:
    """A dependency added to pyproject.toml without `./dev lock` is seen here."""
    project = tomllib.loads(text("pyproject.toml"))
    wanted = {
        "requirements.lock": project["project"]["dependencies"],
        "requirements-dev.lock": project["dependency-groups"]["dev"],
    }
    for name, dependencies in wanted.items():
        names = {re.split(r"[\[<>=~! ;]", wish)[0].lower() for wish in dependencies}
        assert names - set(locked(name)) == set()
