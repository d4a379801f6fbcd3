"""Variants: the most specific match, and the static questions about ties and gaps."""

from __future__ import annotations

import msgspec
import pytest

from state_engine.language import variants
from state_engine.language.problems import Findings
from state_engine.language.variants import Alternative, Skipped, alternatives, analyse, choose
from state_engine.model import Clause, Module, NodeFacts, Resource, Variant

DEBIAN = {"platform": "linux", "distro": "debian", "arch": "x86_64", "init_system": "systemd"}


def clause(**terms: str) -> Clause:
    """Return a clause; `tag_x` stands for `tag.x`."""
    return Clause(tuple((key.replace("tag_", "tag."), value) for key, value in terms.items()))


def module(
    supports: list[Clause],
    whens: list[Clause],
    priorities: tuple[int, ...] = (),
    *,
    or_skip: bool = False,
) -> Module:
    """Return a module with one resource that has these variants."""
    ranks = priorities or (0,) * len(whens)
    made = tuple(
        Variant(when, "file-unix", {"path": "/a"}, priority=rank)
        for when, rank in zip(whens, ranks, strict=True)
    )
    return Module("m", "0", tuple(supports), (), (Resource(variants=made, or_skip=or_skip),))


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


@pytest.mark.parametrize(
    ("whens", "priorities", "expected"),
    [
        # priority comes before specificity
        ([clause(), clause(distro="debian")], (1, 0), 0),
        ([clause(), clause(distro="debian")], (0, 0), 1),
        ([clause(), clause(distro="debian")], (0, -1), 0),
        # only among those that match
        ([clause(), clause(distro="fedora")], (0, 9), 0),
        # among equal priorities specificity decides
        ([clause(), clause(platform="linux"), clause(distro="debian")], (5, 5, 0), 1),
        ([clause(platform="linux"), clause(distro="debian")], (1, 1), "equally specific"),
    ],
)
def test_the_highest_priority_wins_before_specificity(
    whens: list[Clause], priorities: tuple[int, ...], expected: int | str
) -> None:
    choices = alternatives(module([LINUX], whens, priorities).resources[0], 0)
    found = choose(choices, NodeFacts("id", "n", DEBIAN, {"env": "prod"}))
    if isinstance(expected, int):
        assert found == choices[expected]
    else:
        assert expected in str(found)


def test_with_else_skip_a_node_without_a_match_takes_nothing() -> None:
    choices = alternatives(module([LINUX], [clause(distro="fedora")]).resources[0], 0)
    node = NodeFacts("id", "n", DEBIAN)
    assert choose(choices, node, or_skip=True) == Skipped()
    assert isinstance(choose(choices, node), str)
    tie = alternatives(module([LINUX], [LINUX, clause(distro="debian")]).resources[0], 0)
    assert isinstance(choose(tie, node, or_skip=True), str)


@pytest.mark.parametrize(
    ("whens", "priorities", "or_skip", "expected"),
    [
        ([clause(distro="debian")], (0,), True, []),
        ([clause(distro="debian")], (0,), False, ["variant-gap"]),
        # a gap is allowed, a tie is not
        ([clause(tag_a="1"), clause(tag_b="1")], (0, 0), True, ["variant-tie"]),
        ([clause(tag_a="1"), clause(tag_b="1")], (0, 1), True, []),
        # of the variants that may meet only those of one priority tie
        ([clause(), clause(tag_a="1"), clause(tag_b="1")], (0, 2, 1), False, []),
        # one of a higher priority that always matches settles a tie, and hides both
        (
            [clause(), clause(tag_a="1"), clause(tag_b="1")],
            (1, 0, 0),
            False,
            ["variant-unused", "variant-unused"],
        ),
        # a variant that another one always beats is never taken
        ([clause(), LINUX], (0, 0), False, ["variant-unused"]),
    ],
)
def test_priority_and_else_are_a_part_of_the_static_questions(
    whens: list[Clause], priorities: tuple[int, ...], or_skip: bool, expected: list[str]
) -> None:
    assert codes(module([LINUX], whens, priorities, or_skip=or_skip)) == expected


def test_what_items_make_of_one_resource_is_asked_once() -> None:
    made = module([LINUX], [clause(distro="debian")])
    copy = msgspec.structs.replace(made.resources[0], origin=0)
    assert codes(msgspec.structs.replace(made, resources=(copy,) * 50)) == ["variant-gap"]


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
