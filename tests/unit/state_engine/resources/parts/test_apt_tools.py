"""Command lines of apt and dpkg."""

from __future__ import annotations

import pytest

from protocol.reports import CapturedStream
from state_engine.ports import PortError
from state_engine.resources.parts.apt_tools import AptTools, Policy, parse_policy
from tests.fakes.ports import FakePorts

OUTPUT = """\
bash:
  Installed: 5.2.15-2+b8
  Candidate: 5.2.15-2+b13
  Version table:
     5.2.15-2+b13 500 (phased 20%)
        500 http://archive.example.org/debian bookworm/main amd64 Packages
 *** 5.2.15-2+b8 100
        100 /var/lib/dpkg/status
     5.1 -1
        500 http://archive.example.org/debian bullseye/main amd64 Packages
"""


def test_the_version_table_is_read() -> None:
    """Versions of every priority, whether installed or not."""
    versions = ("5.2.15-2+b13", "5.2.15-2+b8", "5.1")
    assert parse_policy(OUTPUT) == Policy("5.2.15-2+b13", versions)


def test_a_name_that_apt_does_not_know_has_no_versions() -> None:
    assert parse_policy("") == Policy()
    assert parse_policy("x:\n  Installed: (none)\n  Candidate: (none)\n") == Policy()


def test_an_installation_asks_nothing_and_removes_nothing() -> None:
    """No question, no recommended package, no other package removed, no changed file replaced."""
    call = AptTools().install("x=1")
    for word in (
        "DEBIAN_FRONTEND=noninteractive",
        "-y",
        "--no-install-recommends",
        "--no-remove",
        "Dpkg::Options::=--force-confold",
        "DPkg::Lock::Timeout=60",
    ):
        assert word in call.argv
    assert call.argv[-3:] == ("install", "--", "x=1")
    assert not {"--allow-downgrades", "--allow-change-held-packages"} & {*call.argv}


def test_a_root_of_its_own_is_named_to_every_program() -> None:
    """No call for another root could reach this system's packages."""
    tools = AptTools("/other")
    ports = FakePorts()
    tools_calls = [tools.install("x"), tools.satisfy("x"), tools.wait(), tools.update("/l")]
    for call in tools_calls:
        assert {"Dir=/other", "DPkg::Options::=--root=/other"} <= {*call.argv}
    for call in (tools.remove("x"), tools.remove("x", rehearse=True), tools.select("x", hold=True)):
        assert "--root=/other" in call.argv
    with pytest.raises(PortError):
        tools.policy("x", ports)
    assert "Dir=/other" in ports.programs.calls[0]
    assert not [word for word in AptTools().install("x").argv if word.startswith("Dir=")]


def test_an_update_fetches_one_list_only() -> None:
    argv = AptTools().update("/etc/apt/sources.list.d/x.sources").argv
    assert "Dir::Etc::SourceList=/etc/apt/sources.list.d/x.sources" in argv
    assert {"Dir::Etc::SourceParts=/dev/null", "APT::Get::List-Cleanup=0"} <= {*argv}


def test_a_failing_apt_cache_is_an_error() -> None:
    ports = FakePorts()
    ports.programs.known["apt-cache policy -- x"] = lambda: CapturedStream(
        100, "", "a\nE: broken\n"
    )
    with pytest.raises(PortError, match="exit 100: E: broken"):
        AptTools().policy("x", ports)
