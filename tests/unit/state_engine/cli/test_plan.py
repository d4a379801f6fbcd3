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
