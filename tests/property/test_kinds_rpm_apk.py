"""What holds for every package and version of the RPM and Alpine kinds."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.steps import Outcome, carry_out
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.contract import Context
from state_engine.resources.package_apk import PackageApk
from state_engine.resources.package_dnf import PackageDnf
from state_engine.resources.parts import alpine_versions, apk_packages, rpm_packages, rpm_versions
from state_engine.resources.parts.version_terms import Term, parse, satisfies
from tests.fakes.package_hosts import FakeAlpine, FakeFedora, PackageHost
from tests.fakes.resources import resource

RPM_VERSIONS = st.builds(
    "{}{}".format, st.sampled_from(["0", "1", "10", "01", "a"]), st.text("019.a~^Z_", max_size=6)
)
APK_VERSIONS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["0", "1", "10", "01"]),
    st.sampled_from(["", ".0", ".1", ".01", ".1.2", ".09"]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "_rc1", "_alpha", "_p1", "_p", "_git20240101", "_rc1_p2"]),
    st.sampled_from(["", "-r0", "-r1", "-r10"]),
)
Compare = Callable[[str, str], int]
ORDERS = [(RPM_VERSIONS, rpm_versions.compare), (APK_VERSIONS, alpine_versions.compare)]


def rpm_says(left: str, right: str) -> int:
    lua = f'print(rpm.vercmp("{left}", "{right}"))'
    argv = ["rpm", "--eval", f"%{{lua: {lua}}}"]
    return int(subprocess.run(argv, check=True, capture_output=True).stdout)


@pytest.mark.skipif(shutil.which("rpm") is None, reason="needs rpm")
@settings(max_examples=100, deadline=None)
@example("1.0~rc1", "1.0")
@example("1.0^git1", "1.0.1")
@example("1.0^git1~pre", "1.0^git1")
@example("2a", "2.0")
@given(RPM_VERSIONS, RPM_VERSIONS)
def test_versions_are_ordered_as_rpm_orders_them(left: str, right: str) -> None:
    """By the word of the program that implements it."""
    assert rpm_versions.order_of(left, right) == rpm_says(left, right)


@pytest.mark.parametrize(("versions", "compare"), ORDERS)
@given(st.data())
def test_the_order_of_versions_is_an_order(
    versions: st.SearchStrategy[str], compare: Compare, data: st.DataObject
) -> None:
    """Every version equals itself, turning a pair turns the answer, and it is transitive."""
    a, b, c = (data.draw(versions) for _ in range(3))
    assert compare(a, a) == 0
    assert compare(a, b) == -compare(b, a)
    first, second, third = sorted((a, b, c), key=functools.cmp_to_key(compare))
    assert max(compare(first, second), compare(second, third), compare(first, third)) <= 0


@pytest.mark.parametrize("module", [rpm_versions, alpine_versions])
@given(st.text(max_size=40))
def test_any_text_is_a_constraint_or_is_none(module: object, text: str) -> None:
    """Nothing raises, and what is accepted holds versions only."""
    known = rpm_versions.is_version if module is rpm_versions else alpine_versions.is_version
    compare = rpm_versions.compare if module is rpm_versions else alpine_versions.compare
    terms = parse(text, known)
    assert terms is None or all(known(term.version) for term in terms)
    compare(text, "1")
    compare("1", text)


@given(st.text(max_size=200), st.binary(max_size=200))
def test_any_output_is_read_or_passed_over(text: str, data: bytes) -> None:
    """What a tool prints, or a database holds, raises nothing, and invents no version."""
    rpm_packages.parse_index(text)
    assert all(map(rpm_versions.is_version, rpm_packages.parse_offers(text)))
    assert all(map(alpine_versions.is_version, apk_packages.parse_policy(text)))
    apk_packages.parse_index(data)


POOL = ["1.0-r0", "1.2-r0", "1.10-r1"]
WISHES = [None, "present", "latest", *POOL, ">= 1.1", "< 1.10, >= 1.2", "= 1.2-r0"]
NAMES = ("alpha", "beta.x", "libc++1")


@st.composite
def hosts(draw: st.DrawFn) -> tuple[PackageHost, list[ResolvedResource]]:
    """A host with some packages in some versions, repositories, and wishes it can fulfil."""
    make = draw(st.sampled_from([FakeFedora, FakeAlpine]))
    kind = "package-dnf" if make is FakeFedora else "package-apk"
    installed: dict[str, str] = {}
    resources: list[ResolvedResource] = []
    for name in NAMES:
        spec: dict[str, Json] = {"name": name}
        if draw(st.booleans()):
            spec["ensure"] = "absent"
        elif (wish := draw(st.sampled_from(WISHES))) is not None:
            spec["version"] = wish
        if draw(st.booleans()):
            installed[name] = draw(st.sampled_from([*POOL, "0.9-r0", "2.0-r0"]))
        resources.append(resource(kind, name, spec))
    return make(installed, {name: list(POOL) for name in NAMES}), resources


@given(hosts())
def test_packages_converge_from_every_state(
    made: tuple[PackageHost, list[ResolvedResource]],
) -> None:
    """Plan, apply what it showed, and nothing is left to do; a plan by itself changes nothing."""
    host, resources = made
    before = dict(host.installed)
    plan = make_plan("node", resources, Snapshot(), host)
    assert host.installed == before
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = apply_plan("op", "node", resources, Snapshot(), host, approved=approved)
    assert outcome.result.status == "succeeded", outcome.result
    after = make_plan("node", resources, outcome.snapshot, host)
    assert after.summary.none == len(resources), after
    assert find_drift(outcome.snapshot, host) == ()
    kept = dict(host.installed)
    assert set(kept) == {item.identity for item in resources if item.spec.get("ensure") != "absent"}
    apply_plan("op", "node", [], outcome.snapshot, host, approved=None)
    assert host.installed == kept


@given(hosts())
def test_no_value_stands_where_an_option_could(
    made: tuple[PackageHost, list[ResolvedResource]],
) -> None:
    """What a module names comes after `--`, in every command that was run."""
    host, resources = made
    apply_plan("op", "node", resources, Snapshot(), host, approved=None)
    for call in host.programs.calls:
        named = [name for name in NAMES if f" {name}" in call]
        assert not named or f" -- {named[0]}" in call


@given(st.sampled_from(POOL), st.sampled_from(POOL))
def test_relations_split_all_versions(version: str, other: str) -> None:
    """Exactly one of `<`, `=` and `>` holds."""
    holds = [
        satisfies(version, [Term(relation, other)], rpm_versions.compare) for relation in "<=>"
    ]
    assert holds.count(True) == 1


@given(hosts())
def test_what_was_changed_can_be_taken_back(
    made: tuple[PackageHost, list[ResolvedResource]],
) -> None:
    """The version that was there comes back, and what was not there goes."""
    host, resources = made
    for item in resources:
        kind = PackageDnf() if item.kind == "package-dnf" else PackageApk()
        before = host.installed.get(item.identity)
        host.offered[item.identity] = [*POOL, *([] if before is None else [before])]
        observation = kind.observe(item.spec, host, verify=False)
        if kind.compare(item.spec, observation, Context()).action == "none":
            continue
        back = kind.revert(item.spec, observation, {})
        apply_plan("op", "node", [item], Snapshot(), host, approved=None)
        carry_out(back, host, Outcome())
        assert host.installed.get(item.identity) == before
