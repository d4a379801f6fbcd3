"""`./dev lock`: writes the lock files again from pyproject.toml.

The locks hold versions and hashes and no download address, so that they hold with any mirror.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent

# `--universal`: one lock for every platform and every Python from 3.11 on, by markers.
COMPILE = (
    "pip",
    "compile",
    "--quiet",
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "pyproject.toml",
)


def commands(uv: str, arguments: Sequence[str]) -> list[list[str]]:
    """Returns the two runs of uv; the arguments (such as `--upgrade`) go to both."""
    runtime = [uv, *COMPILE, *arguments, "--output-file", "requirements.lock"]
    # The runtime lock constrains the other, so that tests run what an installation runs.
    dev = [uv, *COMPILE, *arguments, "--group", "dev", "--constraint", "requirements.lock"]
    return [runtime, [*dev, "--output-file", "requirements-dev.lock"]]


def run_lock(arguments: Sequence[str]) -> int:
    """Writes both lock files; returns 0, or 1 if uv is missing or failed."""
    uv = shutil.which("uv")
    if uv is None:
        sys.stderr.write(
            "dev: `./dev lock` needs uv, which is not on PATH. "
            "Install it anywhere (for example: pipx install uv) and run `./dev lock` again; "
            "`./dev lock --upgrade` takes newer versions, without it the locked ones are kept.\n"
        )
        return 1
    for command in commands(uv, arguments):
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        if status != 0:
            return 1
    return 0
