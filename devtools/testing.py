"""`./dev test`: the programs that tests need, then pytest. It decides nothing of a test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent

# Program that some test starts -> the Debian package that brings it.
NEEDED = {
    "busybox": "busybox-static",
    "createrepo_c": "createrepo-c",
    "dbus-daemon": "dbus-daemon",
    "dnf": "dnf",
    "git": "git",
    "gpg": "gnupg",
    "ip": "iproute2",
    "locale-gen": "locales",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "openssl": "openssl",
    "podman": "podman",
    "rpmbuild": "rpm",
    "ssh-keygen": "openssh-client",
    "strace": "strace",
    "systemd-analyze": "systemd",
    "systemd-nspawn": "systemd-container",
    "useradd": "passwd",
    "visudo": "sudo",
}

# The tests start real processes that mostly wait, and pure ones that mostly compute. Two workers
# use a small machine well; more would only make the timing of the real processes worse. A file
# stays with one worker, so what a file's fixtures share is made once.
PARALLEL = ("-n", "2", "--dist", "loadfile")


def missing_packages(which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """Returns the Debian packages whose programs are not on this machine, sorted."""
    return sorted({package for program, package in NEEDED.items() if which(program) is None})


def provide_programs() -> None:
    """Installs what tests need when that is possible, and says what is missing when it is not."""
    packages = missing_packages()
    if not packages:
        return
    wish = f"apt install {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write(f"dev: some tests will be skipped; they need: {wish}\n")
        return
    sys.stderr.write(f"dev: the tests need: {wish}\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], install):
        status = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment
        ).returncode
        if status != 0:
            sys.stderr.write(f"dev: {' '.join(command[:2])} failed; some tests will be skipped\n")
            return


def pytest_command(arguments: Sequence[str]) -> list[str]:
    """Returns the command line of pytest: the caller's own, or all tests on two workers."""
    return [sys.executable, "-m", "pytest", *(arguments or PARALLEL)]


def test_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the tests' environment: no operator's own settings may reach what they start."""
    return {key: value for key, value in environment.items() if not key.startswith("STANDFAST_")}


def run_tests(arguments: Sequence[str]) -> int:
    """Runs the tests from the repository's root; returns pytest's exit status."""
    provide_programs()
    command = pytest_command(arguments)
    return subprocess.run(
        command, check=False, cwd=ROOT, env=test_environment(os.environ)
    ).returncode
