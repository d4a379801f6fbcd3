"""standfast-state plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.state_engine.cli.desk import Desk, desk

__all__ = ["desk"]


def test_a_plan_shows_and_changes_nothing(desk: Desk) -> None:
    """Exit 0, or 6 if the user asked for it."""
    desk.module()
    code, text = desk.run("plan")
    assert (code, desk.target.exists()) == (0, False)
    assert "+ create file-unix" in text
    assert "Plan: 1 to add, 0 to change, 0 to remove." in text
    assert desk.run("plan", "--detailed-exitcode")[0] == 6


def test_json_is_the_published_shape(desk: Desk) -> None:
    """Nothing else on standard output."""
    desk.module()
    code, text = desk.run("plan", "--json")
    plan = json.loads(text)
    assert (code, plan["summary"]["create"], plan["node_id"]) == (0, 1, "local")
    assert len(plan["digest"]) == 64


def test_an_item_in_error_is_exit_1(desk: Desk) -> None:
    """Something else stands in the file's place."""
    desk.module()
    desk.target.symlink_to("/etc/passwd")
    code, text = desk.run("plan", "--detailed-exitcode")
    assert code == 1
    assert "symbolic link" in text


def test_a_bad_module_is_exit_1_with_its_place(desk: Desk) -> None:
    """File and line; as JSON too."""
    desk.write("name: base\nsupports: [{}]\nresources:\n  - resource: {file-unix: {pth: /x}}\n")
    code, text = desk.run("plan")
    assert code == 1
    assert ".ordo.yaml:4" in text
    code, text = desk.run("plan", "--json")
    assert code == 1
    assert json.loads(text)["ok"] is False


@pytest.mark.parametrize("bad", [("--tag", "=x"), ("--no-such-option",), ("--state-dir",)])
def test_wrong_usage_is_exit_2(desk: Desk, bad: tuple[str, ...]) -> None:
    """Before anything is read."""
    desk.module()
    assert desk.run("plan", *bad)[0] == 2


def test_attributes_and_tags_choose(desk: Desk) -> None:
    """What the command line says goes before what the host says."""
    lines = ["name: base", "supports: [{platform: linux}]", "resources:", "  - variants:"]
    for when, content in (
        ("{platform: linux}", "any"),
        ("{platform: linux, arch: armv7}", "arm"),
        ("{platform: linux, arch: armv7, tag.role: web}", "web"),
    ):
        lines.append(f"      - when: {when}")
        fields = f"{{path: {desk.target}, content: {content}}}"
        lines.append(f"        resource: {{file-unix: {fields}}}")
    desk.write("\n".join(lines))
    assert "+any" in desk.run("plan", "--attr", "arch=x86_64")[1]
    assert "+arm" in desk.run("plan", "--attr", "arch=armv7")[1]
    assert "+web" in desk.run("plan", "--attr", "arch=armv7", "--tag", "role=web")[1]


def test_the_second_plan_trusts_the_stat_cache(desk: Desk) -> None:
    """It is saved between runs, and `--verify-content` does not ask it."""
    desk.module(path="/etc/passwd", content=Path("/etc/passwd").read_text(encoding="utf-8"))
    assert desk.run("plan", "--detailed-exitcode")[0] == 0
    assert (desk.state / "stat-cache").stat().st_size > 64
    assert desk.run("plan", "--detailed-exitcode", "--verify-content")[0] == 0


PARAMETERS = """\
name: a.b
supports: [{platform: linux}]
parameters: {path: {type: string}, names: {type: list, default: [x]}}
resources:
  - for_each: ${{ params.names }}
    resource: {file-unix: {path: "${{ params.path }}/${{ each.key }}"}}
"""


def test_a_parameter_gets_its_value_from_the_command_line(desk: Desk) -> None:
    desk.write(PARAMETERS)
    given = ("--param", f"a.b.path={desk.root}/a=b", "--param", "a.b.names=[y, z]")
    code, text = desk.run("plan", *given)
    assert code == 0
    assert f"create file-unix {desk.root}/a=b/y" in text
    assert f"create file-unix {desk.root}/a=b/z" in text


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ((), 1, "parameter `path` has no default"),
        (("--param", "a.b.path=x", "--param", "a.b.names=x"), 1, "must be a list, not `x`"),
        (("--param", "a.b.pth=/x"), 1, "did you mean `path`?"),
        (("--param", "a.c.path=/x"), 2, "no module is called 'a.c'. Did you mean 'a.b'?"),
        (("--param", "path=/x"), 2, "is not MODULE.NAME=VALUE"),
        (("--param", "a.b.path"), 2, "is not MODULE.NAME=VALUE"),
    ],
)
def test_a_parameter_that_is_wrong_or_lacks_is_refused(
    desk: Desk, given: tuple[str, ...], code: int, says: str
) -> None:
    desk.write(PARAMETERS)
    found, text = desk.run("plan", *given)
    assert (found, says in text) == (code, True), text
