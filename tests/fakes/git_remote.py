"""A real git repository in a directory, to be fetched from, and trees in every sort of state."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def git(place: Path, *words: str) -> str:
    """Run git there and return what it prints."""
    settings = ("-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", "-C", str(place), *settings, *words],
        check=True,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    return done.stdout.strip()


class Remote:
    """A repository with two commits: the tag `v1` (an object) is the first, main the second."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(mode=0o755)
        git(place, "init", "--quiet")
        self.first = self.commit("one")
        git(place, "tag", "-a", "-m", "first", "v1")
        self.second = self.commit("two")
        self.url = f"file://{place}"

    def commit(self, text: str) -> str:
        """Change a file, add another, and return the new commit."""
        (self.place / "file").write_text(f"{text}\n", encoding="utf-8")
        (self.place / f"{text}.txt").write_text("x\n", encoding="utf-8")
        git(self.place, "add", "--all")
        git(self.place, "commit", "--quiet", "-m", text)
        return git(self.place, "rev-parse", "HEAD")

    def clone(self, tree: Path, revision: str) -> None:
        """Make a working tree as the kind would."""
        git(self.place, "clone", "--quiet", "--no-checkout", self.url, str(tree))
        git(tree, "checkout", "--quiet", "--detach", revision)
        git(tree, "branch", "--quiet", "-D", "main")
