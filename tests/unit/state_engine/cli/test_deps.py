"""`standfast-state deps`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from state_engine.cli.main import run

TEXT = """\
name: stack
supports: [{platform: linux}]
resources:
  - id: conf
    depends_on: [dir]
    resource: {file-unix: {path: /opt/conf}}
  - id: dir
    resource: {directory-unix: {path: /opt}}
  - name: up
    variants:
      - {when: {}, resource: {script: {program: sh, manages: 'a "b"', apply: x, rerun_on: [conf]}}}
      - {when: {distro: debian}, resource: {script: {program: sh, manages: c, apply: x}}}
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    """Return the path of a valid module file."""
    path = tmp_path / "stack.ordo.yaml"
    path.write_text(TEXT)
    return str(path)


def test_the_order_is_shown_with_what_each_waits_for(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["deps", module]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"stack ({module})",
        "  1. directory-unix /opt [dir]",
        "  2. file-unix /opt/conf [conf]  after 1",
        '  3. script a "b", c  after 2',
    ]


def test_json_holds_the_same(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deps", "--json", module]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    order = found["modules"][0]["order"]
    assert [(item["position"], item["id"], item["needs"]) for item in order] == [
        (1, "dir", []),
        (2, "conf", [1]),
        (3, None, [2]),
    ]
    assert order[2]["identities"] == ['a "b"', "c"]


def test_dot_holds_an_arrow_from_what_comes_first(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["deps", "--dot", module]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "r0_1 -> r0_2;" in lines
    assert "r0_2 -> r0_3;" in lines
    assert r'r0_3 [label="script a \"b\", c"];' in lines


def test_both_forms_at_once_are_wrong_usage(module: str) -> None:
    assert run(["deps", "--dot", "--json", module]) == 2


@pytest.mark.parametrize("form", [[], ["--json"], ["--dot"]])
def test_a_module_with_an_error_has_no_order(
    form: list[str], module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(module).write_text(TEXT.replace("[dir]", "[drr]"), encoding="utf-8")
    assert run(["deps", *form, module]) == 1
    captured = capsys.readouterr()
    assert "did you mean `dir`?" in captured.out + captured.err
    assert "digraph" not in captured.out
