"""What apk's database and apk say, and what apk is told."""

from __future__ import annotations

import pytest

from state_engine.ports import PortError
from state_engine.resources.parts.apk_packages import ApkPackages, parse_index, parse_policy
from state_engine.resources.parts.version_terms import Term
from state_engine.resources.parts.versioned_package import Wish
from tests.fakes.package_hosts import FakeAlpine
from tests.fakes.ports import FakePorts

DATABASE = b"""C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
S:1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1x=

C:Q1def=
P:busybox
V:1.36.1-r29
F:bin
R:P:not-a-package

"""
POLICY = """busybox policy:
  1.36.1-r28:
    https://mirror.example.org/v3.20/main
  1.36.1-r29:
    lib/apk/db/installed
    https://mirror.example.org/v3.20/main
  1.37.0-r1:
    @edge https://mirror.example.org/edge/main
  1.35.0-r0:
    lib/apk/db/installed
"""


def test_stanzas_are_packages() -> None:
    """The names of files hide nothing and invent nothing."""
    assert parse_index(DATABASE) == {"musl": "1.2.5-r0", "busybox": "1.36.1-r29"}


def test_a_policy_lists_what_a_repository_has() -> None:
    """Not what only this host has, nor what only a tag would bring."""
    assert parse_policy(POLICY) == ("1.36.1-r28", "1.36.1-r29")


def test_the_database_is_read_again_when_it_changed() -> None:
    """And only then; no program is run for it."""
    host = FakeAlpine({"a": "1.0-r0"}, {})
    host.now = 1e9
    packages = ApkPackages()
    assert packages.installed("a", host, verify=False) == "1.0-r0"
    host.installed["a"] = "2.0-r0"
    assert packages.installed("a", host, verify=False) == "1.0-r0"
    host.put_database()
    assert packages.installed("a", host, verify=False) == "2.0-r0"
    assert host.programs.calls == []


def test_a_host_without_the_database_is_told_so() -> None:
    """It is no Alpine."""
    with pytest.raises(PortError, match="no apk database"):
        ApkPackages().installed("a", FakePorts(), verify=False)


@pytest.mark.parametrize(
    ("wish", "installed", "what", "upgrade"),
    [
        (Wish("present"), None, "a", False),
        (Wish("latest"), "1.0-r0", "a", True),
        (Wish("exact", "1.0-r0"), None, "a=1.0-r0", False),
        (Wish("constraint", "1.2-r0", (Term(">=", "1.1"),)), None, "a>=1.1", False),
        (Wish("constraint", "1.2", (Term(">=", "1"), Term("<", "2"))), None, "a=1.2", False),
    ],
)
def test_the_command_follows_from_the_wish(
    wish: Wish, installed: str | None, what: str, upgrade: bool
) -> None:
    """What it says is what apk will note in its world."""
    argv = ApkPackages("/r").install("a", wish, installed).argv
    assert argv[:4] == ("apk", "--root", "/r", "add")
    assert argv[-2:] == ("--", what)
    assert ("--upgrade" in argv) == upgrade
