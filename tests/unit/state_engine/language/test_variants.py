"""Variants: the most specific match, and the static questions about ties and gaps."""

from __future__ import annotations

import pytest

from state_engine.language import variants
from state_engine.language.problems import Findings
from state_engine.language.variants import Alternative, alternatives, analyse, choose
from state_engine.model import Clause, Module, NodeFacts, Resource, Variant

DEBIAN = {"platform": "linux", "distro": "debian", "arch": "x86_64", "init_system": "systemd"}


def clause(**terms: str) -> Clause:
    """Return a clause; `tag_x` stands for `tag.x`."""
    return Clause(tuple((key.replace("tag_", "tag."), value) for key, value in terms.items()))


def module(supports: list[Clause], whens: list[Clause]) -> Module:
    """Return a module with one resource that has these variants."""
    made = tuple(Variant(when, "file-unix", {"path": "/a"}) for when in whens)
    return Module("m", "0", tuple(supports), (), (Resource(variants=made),))


def codes(made: Module) -> list[str]:
    """Return the codes of what the analysis finds."""
    findings = Findings("f")
    analyse(made, findings)
    return [problem.code for problem in findings.sorted()]


@pytest.mark.parametrize(
    ("whens", "expected"),
    [
        ([clause(), clause(platform="linux"), clause(distro="fedora", arch="x86_64")], 1),
        ([clause(platform="linux", distro="debian"), clause(platform="linux")], 0),
        ([clause(), clause(tag_env="prod")], 1),
        ([clause(distro="fedora")], "no variant matches"),
        ([clause(platform="linux"), clause(distro="debian")], "equally specific"),
    ],
)
def test_the_most_specific_match_wins_whatever_the_order(
    whens: list[Clause], expected: int | str
) -> None:
    choices = [Alternative("file-unix", {}, when, str(i)) for i, when in enumerate(whens)]
    found = choose(choices, NodeFacts("id", "n", DEBIAN, {"env": "prod"}))
    if isinstance(expected, int):
        assert found == choices[expected]
    else:
        assert isinstance(found, str)
        assert expected in found


LINUX = clause(platform="linux")


@pytest.mark.parametrize(
    ("supports", "whens", "expected"),
    [
        ([LINUX], [clause()], []),
        # a gap in one clause of `supports` is a gap
        (
            [clause(platform="linux", distro="debian"), clause(platform="linux", distro="fedora")],
            [clause(distro="debian")],
            ["variant-gap"],
        ),
        # a distribution implies Linux
        ([clause(distro="debian")], [LINUX], []),
        # all platforms together leave no gap, and two of them do
        ([clause()], [LINUX, clause(platform="macos"), clause(platform="windows")], []),
        ([clause()], [LINUX, clause(platform="macos")], ["variant-gap"]),
        # only one init system exists on macOS
        ([clause(platform="macos")], [clause(init_system="launchd")], []),
        # tags may always be absent
        ([LINUX], [clause(tag_env="prod")], ["variant-gap"]),
        # different keys may meet
        ([LINUX], [clause(), clause(tag_a="1"), clause(tag_b="1")], ["variant-tie"]),
        # different values of one key do not
        ([LINUX], [clause(), clause(tag_a="1"), clause(tag_a="2")], []),
        # `supports` may keep two variants apart
        (
            [clause(distro="debian", arch="x86_64")],
            [clause(distro="debian"), clause(arch="armv7")],
            ["variant-unused"],
        ),
        # a distribution and another platform never meet
        (
            [clause()],
            [clause(), clause(distro="debian"), clause(platform="macos")],
            [],
        ),
        # a more specific variant that covers the whole meeting settles a tie
        (
            [LINUX],
            [clause(), clause(tag_a="1"), clause(tag_b="1"), clause(tag_a="1", tag_b="1")],
            [],
        ),
        # one that covers a part of it does not
        (
            [LINUX],
            [clause(), clause(tag_a="1"), clause(tag_b="1"), clause(tag_a="1", distro="debian")],
            ["variant-tie"],
        ),
    ],
)
def test_ties_and_gaps_are_found_without_a_node(
    supports: list[Clause], whens: list[Clause], expected: list[str]
) -> None:
    assert codes(module(supports, whens)) == expected


def test_the_analysis_of_a_hostile_module_is_bounded() -> None:
    many = [clause(tag_a=str(number)) for number in range(3000)]
    assert codes(module([LINUX], many)) == ["variant-gap", "too-many-variants"]


def test_a_resource_without_variants_has_one_alternative_and_a_broken_one_none() -> None:
    plain = Resource(kind="script", spec={"program": "sh"})
    assert [choice.path for choice in alternatives(plain, 3)] == ["/resources/3/resource/script"]
    assert alternatives(Resource(), 0) == ()


def test_a_choice_that_loses_in_the_smallest_world_loses() -> None:
    choices = alternatives(module([LINUX], [clause(), LINUX]).resources[0], 0)
    assert variants.wins(choices, 1, {"platform": "linux"})
    assert not variants.wins(choices, 0, {"platform": "linux"})
