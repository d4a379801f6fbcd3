"""Conflicts across modules."""

from __future__ import annotations

import pytest

from state_engine.language.conflicts import claims, find_conflicts
from state_engine.language.validate import check_text
from state_engine.model import Module


def module(name: str, supports: str, resources: str) -> Module:
    """Return a module that is valid by itself."""
    text = f"name: {name}\nsupports: [{supports}]\nresources:\n{resources}"
    made, problems = check_text(text.encode(), f"{name}.yaml")
    assert made is not None, problems
    return made


MOTD = "  - resource: {file-unix: {path: /etc/motd}}\n"
MOTD_DIRECTORY = "  - resource: {directory-unix: {path: /etc/motd}}\n"
MOTD_LINK = "  - resource: {symlink-unix: {path: /etc/motd, target: to}}\n"
MOTD_SCRIPT = "  - resource: {script: {program: sh, apply: x, manages: /etc/motd}}\n"
SOMETIMES = (
    "  - variants:\n"
    "      - {when: {}, resource: {file-unix: {path: /etc/issue}}}\n"
    "      - {when: {tag.role: web}, resource: {file-unix: {path: /etc/motd}}}\n"
)
NEVER_HERE = (
    "  - variants:\n"
    "      - {when: {}, resource: {file-unix: {path: /etc/motd}}}\n"
    "      - {when: {distro: debian}, resource: {file-unix: {path: /etc/issue}}}\n"
)


@pytest.mark.parametrize(
    ("supports", "resources", "conflict"),
    [
        ("{platform: linux}", MOTD, True),
        ("{distro: debian}", MOTD, True),
        ("{distro: fedora}", MOTD, False),
        ("{platform: macos}", MOTD, False),
        ("{arch: x86_64}, {platform: macos}", MOTD, True),
        ("{platform: linux}", MOTD_DIRECTORY, True),
        ("{platform: linux}", MOTD_SCRIPT, False),
        ("{platform: linux}", MOTD.replace("motd", "issue"), False),
        ("{platform: linux}", MOTD.replace("/etc/motd", "'/etc/${{ tags.x }}'"), False),
        ("{platform: linux}", SOMETIMES, True),
        ("{platform: linux, tag.role: db}", SOMETIMES, False),
        ("{platform: linux}", NEVER_HERE, False),
    ],
)
def test_two_modules_conflict_if_some_node_meets_both_claims(
    supports: str, resources: str, conflict: bool
) -> None:
    debian = module("base", "{platform: linux, distro: debian}", MOTD)
    other = module("other", supports, resources)
    problems = find_conflicts([debian, other])
    assert [problem.code for problem in problems] == (["conflict"] if conflict else [])
    for problem in problems:
        assert problem.file == "other.yaml"
        assert "module `base` (base.yaml:4)" in problem.message


def test_two_modules_of_one_name_conflict() -> None:
    (problem,) = find_conflicts([module("a", "{}", ""), module("a", "{}", "")])
    assert (problem.code, problem.line) == ("duplicate-module", 1)


def test_a_third_claim_is_reported_too() -> None:
    made = [module(name, "{platform: linux}", MOTD) for name in ("a", "b", "c")]
    assert [problem.file for problem in find_conflicts(made)] == ["b.yaml", "c.yaml"]


def test_a_claim_that_only_a_node_can_tell_is_left_out() -> None:
    made = module("a", "{}", MOTD.replace("/etc/motd", "'/${{ node.name }}'") + MOTD)
    assert [claim.identity for claim in claims(made)] == ["/etc/motd"]


def test_the_search_over_hostile_modules_is_bounded_and_never_passes_one_over() -> None:
    rows = "".join(
        f"      - {{when: {{tag.a: '{n}', tag.b: x}}, resource: {{file-unix: {{path: /x}}}}}}\n"
        for n in range(60)
    )
    text = f"  - variants:\n      - {{when: {{}}, resource: {{file-unix: {{path: /y}}}}}}\n{rows}"
    wide = ", ".join(f"{{tag.c: '{n}'}}" for n in range(4))
    many = [module(f"m{n}", wide, text.replace("/y", f"/y{n}")) for n in range(8)]
    assert find_conflicts(many)


def test_a_link_and_a_file_are_one_path() -> None:
    """Whichever of the two was applied last would have to undo the other."""
    modules = [module("a", "{}", MOTD), module("b", "{}", MOTD_LINK)]
    (problem,) = find_conflicts(modules)
    assert problem.code == "conflict"
