"""Keeps `.venv` equal to a lock file. Run by the system's Python, so: standard library only.

It must not import anything that the environment would have to provide first. Everything it says
goes to the standard output that `dev` has pointed at standard error.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "standfast-locks.txt"
RUNTIME_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"

# The development lock holds everything that the runtime lock holds, at the same versions (a test
# in tests/habits says so), so installing it satisfies both.
SATISFIES = {RUNTIME_LOCK: (RUNTIME_LOCK,), DEV_LOCK: (RUNTIME_LOCK, DEV_LOCK)}

LAUNCHER = """\
#!{python}
# Written by ./dev: runs [project.scripts] {name!r} from the checkout.
import sys

sys.path.insert(0, {root!r})
from {module} import {function}

sys.exit({function}())
"""


class BootstrapError(Exception):
    """The environment cannot be made; the message says what is missing and what would be right."""


def say(text: str) -> None:
    """Writes one line of progress."""
    sys.stdout.write(f"dev: {text}\n")
    sys.stdout.flush()


def lock_digest(name: str, root: Path = ROOT) -> str:
    """Returns the SHA-256 of a lock file, in hex."""
    return hashlib.sha256((root / name).read_bytes()).hexdigest()


def installed_locks(stamp: Path = STAMP) -> dict[str, str]:
    """Returns which lock files the environment was filled from, and their digests then."""
    try:
        lines = stamp.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def is_current(lock: str, digest: str, stamp: Mapping[str, str]) -> bool:
    """Says whether the environment already holds what the lock file asks for."""
    return stamp.get(lock) == digest


def works(python: Path) -> bool:
    """Says whether an environment's interpreter still starts (its base may have been removed)."""
    if not python.exists():
        return False
    probe = [str(python), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def run(command: Sequence[str], *, doing: str) -> None:
    """Runs one program, its output passed on.

    Raises:
        BootstrapError: it could not be started or ended with another status than 0.
    """
    try:
        status = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
    except OSError as error:
        raise BootstrapError(f"{doing}: {error}") from error
    if status != 0:
        raise BootstrapError(f"{doing}: {command[0]} ended with status {status}")


def has_system_pip() -> bool:
    """Says whether this Python has a pip that can fill another environment (22.3 or newer)."""
    probe = [sys.executable, "-m", "pip", "--python", sys.executable, "--version"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def pip_command() -> list[str]:
    """Returns the pip that fills `.venv`: its own, or else the system's pointed at it."""
    own = [str(VENV / "bin" / "python"), "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return own
    return [sys.executable, "-m", "pip", "--python", own[0]]


def make_environment() -> None:
    """Makes an empty `.venv`, also where Debian has split ensurepip off from Python.

    Raises:
        BootstrapError: neither ensurepip nor pip is there, and we may not install them.
    """
    if VENV.exists():
        shutil.rmtree(VENV)
    say(f"making .venv with Python {sys.version.split()[0]}")
    if importlib.util.find_spec("ensurepip") is None and not has_system_pip():
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise BootstrapError(
                "this Python has neither ensurepip nor pip, so no environment can be filled. "
                "Install one of them: apt install python3-venv"
            )
        # Debian names the package after the version; python3-venv follows its default Python.
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        say(f"installing {package}, which Debian's Python needs for this")
        run(["apt-get", "update", "-qq"], doing="reading the package lists")
        run(["apt-get", "install", "-y", "-qq", package], doing=f"installing {package}")
        importlib.invalidate_caches()
    bare = [] if importlib.util.find_spec("ensurepip") is not None else ["--without-pip"]
    run([sys.executable, "-m", "venv", *bare, str(VENV)], doing="making .venv")


def install(lock: str) -> None:
    """Installs a lock file's packages, each checked against its hash.

    Raises:
        BootstrapError: a download failed, or a file's hash is not one of the lock's.
    """
    count = sum(1 for line in (ROOT / lock).read_text().splitlines() if "==" in line)
    say(f"installing {count} packages of {lock} (only when the lock changed; about a minute)")
    run(
        [
            *pip_command(),
            "install",
            "--require-hashes",
            "--no-deps",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar=off",
            "--quiet",
            "--requirement",
            str(ROOT / lock),
        ],
        doing=f"installing {lock}",
    )


def write_launchers(root: Path = ROOT, target: Path | None = None) -> list[str]:
    """Writes the console scripts of pyproject.toml into the environment; returns their names.

    They run the checkout itself: nothing has to be built or installed again after an edit.
    """
    where = target or VENV / "bin"
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names: list[str] = []
    for name, entry in project["scripts"].items():
        module, function = str(entry).split(":")
        path = where / name
        path.write_text(
            LAUNCHER.format(
                python=where / "python", name=name, root=str(root), module=module, function=function
            ),
            encoding="utf-8",
        )
        path.chmod(0o755)
        names.append(name)
    return names


def ensure(lock: str) -> None:
    """Makes `.venv` hold what the lock file asks for; does nothing when it already does.

    Raises:
        BootstrapError: it cannot be made.
    """
    digests = {name: lock_digest(name) for name in SATISFIES[lock]}
    if is_current(lock, digests[lock], installed_locks()) and works(VENV / "bin" / "python"):
        return
    # Two `dev` at once (say `check` beside `test`) must not fill the same directory together.
    with (ROOT / "devtools" / "bootstrap.py").open("rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        stamp = installed_locks()
        if not works(VENV / "bin" / "python"):
            make_environment()
            stamp = {}
        if is_current(lock, digests[lock], stamp):
            return
        install(lock)
        write_launchers()
        # Last, and by rename: an interrupted installation must not look finished.
        fresh = STAMP.with_suffix(".new")
        held = {**stamp, **digests}.items()
        fresh.write_text("".join(f"{name} {digest}\n" for name, digest in held), encoding="utf-8")
        fresh.replace(STAMP)


def main(arguments: Sequence[str]) -> int:
    """Runs the command line `bootstrap.py LOCK`; returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in SATISFIES:
        say(f"usage: bootstrap.py {'|'.join(SATISFIES)}")
        return 2
    try:
        ensure(arguments[0])
    except (BootstrapError, OSError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
