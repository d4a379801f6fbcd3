"""The units are what systemd understands, and as closed as they were when last looked at."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "systemd"
NAMES = ("standfast-agent.service", "standfast-coordinator.service")
ANALYZE = shutil.which("systemd-analyze")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze (apt install systemd)"),
]

# Exposure in tenths, as `systemd-analyze security` of systemd 252 computes it; a later systemd
# knows more directives and may count a few tenths more. Lower is more closed. Raising a number is
# a decision about what the process may do: say why in the unit.
CEILINGS = {"standfast-agent.service": 90, "standfast-coordinator.service": 11}

# What `systemd-analyze security` looks at and an operator would ask about.
HARDENING = (
    "CapabilityBoundingSet",
    "IPAddressDeny",
    "KeyringMode",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "PrivateDevices",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "RemoveIPC",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "UMask",
)


def settings(name: str) -> configparser.ConfigParser:
    """Returns a unit's settings; of a repeated key, the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    parser.read(UNITS / name, encoding="utf-8")
    return parser


def runnable_copy(name: str, folder: Path) -> Path:
    """Copies a unit with its program replaced by one that every machine has."""
    program = shutil.which("true")
    assert program is not None
    text = (UNITS / name).read_text(encoding="utf-8")
    copy = folder / name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={program}", text), encoding="utf-8")
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs systemd-analyze; it needs no running systemd for what is asked here."""
    assert ANALYZE is not None
    return subprocess.run(
        [ANALYZE, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("name", NAMES)
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, not even a warning."""
    done = analyze("verify", "--man=no", str(runnable_copy(name, tmp_path)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_would_find_an_unknown_key(tmp_path: Path) -> None:
    """The test above can fail: systemd only warns of a misspelt key, and ends with 0."""
    unit = runnable_copy(NAMES[0], tmp_path)
    unit.write_text(unit.read_text().replace("LockPersonality=", "LockPersonalty="))
    assert "LockPersonalty" in analyze("verify", "--man=no", str(unit)).stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_unit_is_no_more_open_than_recorded(name: str, tmp_path: Path) -> None:
    """The exposure that systemd computes stays at or under the recorded ceiling."""
    unit = runnable_copy(name, tmp_path)
    done = analyze("security", "--offline=true", f"--threshold={CEILINGS[name]}", str(unit))
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_hardening_directive_is_set_or_explained(name: str) -> None:
    """A directive that is left out stands in a comment with its reason."""
    text = (UNITS / name).read_text(encoding="utf-8")
    assert [directive for directive in HARDENING if directive not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_service_says_when_it_is_ready_and_alive(name: str) -> None:
    """Systemd starts, watches and restarts it by what it reports."""
    service = settings(name)["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert service["Restart"] == "always"
    program = name.removesuffix(".service")
    assert service["ExecStart"].startswith(f"/usr/bin/{program} run --config /etc/standfast/")


def test_the_units_own_the_directories_that_the_programs_use() -> None:
    """The default of the configuration is the directory that systemd makes, closed to others."""
    from agent.config import AgentConfig
    from coordinator.config import CoordinatorConfig

    used = {
        "standfast-agent.service": AgentConfig().state_dir,
        "standfast-coordinator.service": CoordinatorConfig().data_dir,
    }
    for name, directory in used.items():
        service = settings(name)["Service"]
        assert f"/var/lib/{service['StateDirectory']}" == directory
        assert service["StateDirectoryMode"] == "0700"
