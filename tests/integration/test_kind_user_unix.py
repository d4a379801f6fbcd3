"""Groups, users and keys with the system's own tools, in a root directory of their own.

The host's accounts are not touched. Only root may call the tools.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import ApplyOutcome
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.authorized_key import AuthorizedKey
from state_engine.resources.contract import Kind
from state_engine.resources.group_unix import GroupUnix
from state_engine.resources.registry import KINDS
from state_engine.resources.user_unix import UserUnix
from tests.fakes.keys import public_key
from tests.fakes.resources import resource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="the account tools need root"),
    pytest.mark.skipif(shutil.which("useradd") is None, reason="useradd is not on this machine"),
]
PASSWD = "root:x:0:0:root:/root:/bin/sh\nanna:x:1500:1500:Anna:/home/anna:/bin/sh\n"
SHELL = "/usr/sbin/nologin"
GROUP = "root:x:0:\nanna:x:1500:\nstaff:x:50:anna\n"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root directory with account files; the engine's kinds work in it."""
    root = tmp_path / "system"
    for name in ("etc/skel", "etc/default", "home", "tmp", "var/log"):
        (root / name).mkdir(parents=True)
    (root / "etc/skel/.profile").write_text("umask 027\n", encoding="utf-8")
    for name, text in (
        ("passwd", PASSWD), ("group", GROUP), ("shadow", "root:*:1::::::\nanna:!:1::::::\n"),
        ("gshadow", ""), ("login.defs", "UID_MIN 1000\nGID_MIN 1000\nUSERGROUPS_ENAB yes\n"),
    ):  # fmt: skip
        (root / "etc" / name).write_text(text, encoding="utf-8")
    made: tuple[Kind, ...] = (UserUnix(str(root)), GroupUnix(str(root)), AuthorizedKey(str(root)))
    for kind in made:
        monkeypatch.setitem(KINDS, kind.name, kind)
    return root


def wish(kind: str, *depends_on: ResolvedResource, **spec: Json) -> ResolvedResource:
    assert KINDS[kind].validate(spec) == []
    identity = KINDS[kind].identity(spec, None)
    assert identity is not None
    return resource(kind, identity, spec, depends_on=depends_on)


def lines(path: Path) -> dict[str, list[str]]:
    rows = [line.split(":") for line in path.read_text(encoding="utf-8").splitlines()]
    return {row[0]: row for row in rows}


def settled(
    system: Path, resources: list[ResolvedResource], snapshot: Snapshot | None = None
) -> ApplyOutcome:
    """Apply what was planned and approved, and then find nothing left to do."""
    ports = LinuxPorts(system.parent / "state", b"k" * 32)
    before = Snapshot() if snapshot is None else snapshot
    plan = make_plan("n", resources, before, ports)
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = apply_plan("op", "n", resources, before, ports, approved=approved)
    assert [one.error for one in outcome.result.resources if one.error] == []
    again = make_plan("n", resources, outcome.snapshot, ports)
    assert again.summary.none == len(resources)
    return outcome


def test_a_user_with_group_home_and_keys_is_made_changed_and_left(system: Path) -> None:
    """From nothing, in one approved apply; then changed; then no longer desired."""
    host = pwd.getpwall()
    shell: dict[str, Json] = {"shell": SHELL}
    group = wish("group-unix", name="app", gid=3000)
    user = wish(
        "user-unix", group, **shell, name="app", uid=3001, primary_group="app",
        additional_groups=["staff"], home="/home/app", comment="The app, ü", create_home=True,
    )  # fmt: skip
    keys = [
        wish("authorized-key", user, user="app", key=public_key(number, "anna@desk"))
        for number in (1, 2)
    ]
    snapshot = settled(system, [group, user, *keys]).snapshot
    row = lines(system / "etc/passwd")["app"]
    assert row == ["app", "x", "3001", "3000", "The app, ü", "/home/app", SHELL]
    assert lines(system / "etc/group")["staff"][3] == "anna,app"
    assert lines(system / "etc/shadow")["app"][1].startswith("!")
    assert (system / "home/app/.profile").is_file()
    directory, file = system / "home/app/.ssh", system / "home/app/.ssh/authorized_keys"
    for path, mode in ((directory, 0o700), (file, 0o600)):
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (mode, 3001, 3000)
    group = wish("group-unix", name="app", gid=3100)
    user = wish(
        "user-unix", group, name="app", uid=3101, primary_group="staff", additional_groups=[],
        comment="",
    )  # fmt: skip
    snapshot = settled(system, [group, user, *keys[:1]], snapshot).snapshot
    row = lines(system / "etc/passwd")["app"]
    assert row == ["app", "x", "3101", "50", "", "/home/app", SHELL]
    assert lines(system / "etc/group")["app"][2] == "3100"
    assert lines(system / "etc/group")["staff"][3] == "anna"
    assert file.read_text(encoding="utf-8") == public_key(1, "anna@desk") + "\n"
    snapshot = settled(system, [], snapshot).snapshot
    assert file.read_bytes() == b""
    user = wish("user-unix", name="app", home="/home/app-new", create_home=True)
    settled(system, [user], snapshot)
    assert (system / "home/app/.profile").is_file()
    found = (system / "home/app-new").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o700, 3101, 50)
    assert "app" in lines(system / "etc/group")
    assert lines(system / "etc/passwd")["anna"] == PASSWD.splitlines()[1].split(":")
    assert pwd.getpwall() == host


def test_a_user_who_must_not_be_there_goes_and_his_home_stays(system: Path) -> None:
    """With his group, which nobody else has."""
    user = wish("user-unix", name="old", create_home=True, system=True)
    settled(system, [user])
    assert int(lines(system / "etc/passwd")["old"][2]) < 1000
    assert int(lines(system / "etc/group")["old"][2]) < 1000
    settled(
        system,
        [
            wish("user-unix", name="old", ensure="absent"),
            wish("group-unix", name="old", ensure="absent"),
        ],
    )
    assert "old" not in lines(system / "etc/passwd")
    assert "old" not in lines(system / "etc/group")
    assert (system / "home/old/.profile").is_file()


def test_what_the_tools_refuse_is_the_items_error(system: Path) -> None:
    """A uid that somebody has: said in the plan, refused by the tool, nothing half done."""
    ports = LinuxPorts(system.parent / "state", b"k" * 32)
    user = wish("user-unix", name="app", uid=1500)
    plan = make_plan("n", [user], Snapshot(), ports)
    assert "`anna`" in (plan.resources[0].message or "")
    outcome = apply_plan("op", "n", [user], Snapshot(), ports, approved=None)
    assert "1500" in (outcome.result.resources[0].error or "")
    assert "app" not in lines(system / "etc/passwd")
    assert outcome.snapshot.applied == () or outcome.snapshot.applied[0].incomplete


def printed(*argv: str) -> str:
    """Run a program and return what it prints."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not on this machine")
def test_a_real_key_has_the_fingerprint_that_ssh_keygen_prints(tmp_path: Path, kind: str) -> None:
    """So a person finds it again in what sshd logs."""
    path = tmp_path / "key"
    printed("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "anna@desk", "-f", str(path))
    line = path.with_suffix(".pub").read_text(encoding="utf-8").strip()
    spec: dict[str, Json] = {"user": "app", "key": line}
    assert KINDS["authorized-key"].validate(spec) == []
    identity = KINDS["authorized-key"].identity(spec, None)
    assert identity == f"app {printed('ssh-keygen', '-l', '-f', str(path)).split()[1]}"
