"""A module's author, or a user of the host, tries to get more than the plan of accounts says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.plan import make_plan
from state_engine.engine.steps import Outcome, carry_out
from state_engine.host.linux import LinuxPorts
from state_engine.model import Snapshot
from state_engine.ports import PortError
from state_engine.resources.authorized_key import AuthorizedKey
from state_engine.resources.contract import Context, EditFile, Spec
from state_engine.resources.registry import KINDS
from tests.fakes.keys import public_key
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.shadow import ShadowPorts

pytestmark = pytest.mark.hostile
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="plays root and another user: needs root")
NOBODY = 65534


def values(kind: str, text: str) -> dict[str, Json]:
    """Return a whole specification with a text in the middle of each of its free fields."""
    word = f"a{text}b"
    fields: dict[str, dict[str, Json]] = {
        "user-unix": {
            "name": word, "primary_group": word, "additional_groups": [word],
            "home": f"/{word}", "shell": f"/{word}", "comment": word,
        },
        "group-unix": {"name": word},
        "authorized-key": {
            "user": word, "key": f"{public_key(1)} {word}", "comment": word,
            "options": [f'command="{word}"'],
        },
        "cron": {
            "name": word, "schedule": f"@daily{text}", "user": word, "command": word,
            "environment": {"A": word},
        },
        "sudoers": {"name": word, "who": word, "commands": [f"/{word}"], "run_as": word},
    }  # fmt: skip
    return fields[kind]


def usual(kind: str) -> dict[str, Json]:
    needed: dict[str, dict[str, Json]] = {
        "user-unix": {"name": "app"},
        "group-unix": {"name": "app"},
        "authorized-key": {"user": "app", "key": public_key(1)},
        "cron": {"name": "app", "schedule": "@daily", "user": "app", "command": "true"},
        "sudoers": {"name": "app", "who": "app", "commands": ["/bin/true"]},
    }
    return needed[kind]


@pytest.mark.parametrize("kind", ["user-unix", "group-unix", "authorized-key", "cron", "sudoers"])
@pytest.mark.parametrize("text", ["\n", "\r", "\0", "\x1b[2J", "\nroot2:x:0:0::/:/bin/sh"])
def test_no_field_can_hold_a_line_break_or_a_control_character(kind: str, text: str) -> None:
    """Each would begin another account, key, job or rule."""
    for field, value in values(kind, text).items():
        spec = {**usual(kind), field: value}
        assert [problem.field for problem in KINDS[kind].validate(spec)] == [field]


@pytest.mark.parametrize("name", ["-o", "--help", "--root=/", "-", "--"])
@pytest.mark.parametrize("kind", ["user-unix", "group-unix"])
def test_no_name_is_an_option(kind: str, name: str) -> None:
    """Nor would it be one if it got past the checks: it stands behind `--`."""
    spec: Spec = {"name": name}
    assert KINDS[kind].validate(spec) != []
    ports = ShadowPorts()
    difference = KINDS[kind].compare(
        spec, KINDS[kind].observe(spec, ports, verify=False), Context()
    )
    carry_out(KINDS[kind].steps(spec, difference), ports, Outcome())
    assert ports.shadow.argvs[0][-2:] == ("--", name)


def test_an_unsigned_module_shows_nothing_of_roots_files_through_visudo() -> None:
    """A plan of it asks visudo, which would quote a file that the text includes."""
    spec: Spec = {"name": "a", "content": "x ALL=(ALL) ALL\n@include /etc/shadow\n"}
    assert [problem.field for problem in KINDS["sudoers"].validate(spec)] == ["content"]
    wanted = resource("sudoers", "a", {"name": "a", "content": "bad\n"}, trusted=False)
    plan = make_plan("n", [wanted], Snapshot(), ShadowPorts())
    assert "secret words" not in str(plan)


def test_a_secret_in_a_job_or_a_rule_is_in_no_plan() -> None:
    """Neither when it is made nor when it replaces another."""
    job: Spec = {**usual("cron"), "environment": {"TOKEN": "s3cr3t"}}
    rule: Spec = {**usual("sudoers"), "commands": ["/bin/login s3cr3t"]}
    ports = ShadowPorts()
    for _ in range(2):
        resources = [
            resource("cron", "app", job, sensitive=("environment",)),
            resource("sudoers", "app", rule, sensitive=("commands",)),
        ]
        plan = make_plan("n", resources, Snapshot(), ports)
        assert plan.summary.none == 0
        assert "s3cr3t" not in str(plan)
        for path in ("/etc/cron.d/app", "/etc/sudoers.d/app"):
            ports.files.put(path, Node("file", 0o644, 0, 0, b"theirs"))


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A root directory with one user, nobody, and his home."""
    (tmp_path / "etc").mkdir()
    line = f"app:x:{NOBODY}:{NOBODY}::/home/app:/bin/sh\n"
    (tmp_path / "etc/passwd").write_text(line, encoding="utf-8")
    home = tmp_path / "home/app"
    home.mkdir(parents=True)
    os.chown(home, NOBODY, NOBODY)
    return tmp_path


@needs_root
@pytest.mark.parametrize("what", ["directory", "file", "second name"])
def test_a_user_cannot_point_his_keys_at_a_file_of_roots(system: Path, what: str) -> None:
    """By a link for the directory, one for the file, or a second name for root's own file."""
    secret = system / "etc/secret"
    secret.mkdir()
    (secret / "authorized_keys").write_text("root's own\n", encoding="utf-8")
    ssh = system / "home/app/.ssh"
    if what == "directory":
        ssh.symlink_to(secret)
    else:
        ssh.mkdir(mode=0o700)
        os.chown(ssh, NOBODY, NOBODY)
        if what == "file":
            (ssh / "authorized_keys").symlink_to(secret / "authorized_keys")
        else:
            (ssh / "authorized_keys").hardlink_to(secret / "authorized_keys")
    kind, ports = AuthorizedKey(str(system)), LinuxPorts(system / "state", b"k" * 32)
    with pytest.raises(PortError):
        kind.observe(usual("authorized-key"), ports, verify=False)
    assert (secret / "authorized_keys").read_text(encoding="utf-8") == "root's own\n"


@needs_root
def test_a_link_put_in_place_after_the_plan_is_not_followed(system: Path) -> None:
    """Between the look and the write the user exchanges his directory."""
    kind, ports = AuthorizedKey(str(system)), LinuxPorts(system / "state", b"k" * 32)
    spec = usual("authorized-key")
    difference = kind.compare(spec, kind.observe(spec, ports, verify=False), Context())
    target = system / "etc/target"
    target.mkdir()
    ssh = system / "home/app/.ssh"
    ssh.symlink_to(target)
    os.chown(ssh, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(PortError):
        carry_out(difference.steps, ports, Outcome())
    edits = tuple(step for step in difference.steps if isinstance(step, EditFile))
    assert edits
    with pytest.raises(PortError):
        carry_out(edits, ports, Outcome())
    assert list(target.iterdir()) == []
