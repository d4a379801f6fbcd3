"""A disk of 1 MiB that a test can fill: a real file system with a real ENOSPC. Needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def mounted(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 1 MiB for one test; use it as `pytest.fixture(mounted)`."""
    yield from mount(tmp_path / "disk")


def mount(path: Path, size: str = "1m") -> Iterator[Path]:
    """A tmpfs of this size at a new directory, until the iterator ends."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("may not mount a tmpfs here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(path: Path) -> Path:
    """Use up all room of a file system and return the file that holds it."""
    filler = path / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(4_096))
        except OSError:
            pass
    return filler
