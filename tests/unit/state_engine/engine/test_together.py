"""Several items in one go."""

from __future__ import annotations

import msgspec

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import Finished, Progress, Started, fold
from state_engine.model import ResolvedResource, Snapshot
from state_engine.ports import ProgramCall
from tests.fakes.debian import FakeApt, FakeDebian
from tests.fakes.resources import a_file, resource


def package(
    name: str, *after: ResolvedResource, version: str | None = None, **fields: bool
) -> ResolvedResource:
    spec: dict[str, Json] = {
        "name": name,
        **({} if version is None else {"version": version}),
        **fields,
    }
    return resource("package-apt", name, spec, depends_on=after)


def host(*names: str) -> FakeDebian:
    return FakeDebian({}, {name: ["1.0", "2.0"] for name in names})


def installs(ports: FakeDebian) -> list[str]:
    return [call.partition(" -- ")[2] for call in ports.programs.calls if " install " in call]


def test_packages_that_stand_together_are_one_transaction() -> None:
    """Each has its own result; what is there already does not part them."""
    ports = host("a", "b", "c", "d")
    ports.packages["c"] = ["install", "installed", "1.0"]
    ports.write_status()
    resources = [package("a"), package("b", version="1.0"), package("c"), package("d")]
    outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=None)
    assert installs(ports) == ["a b=1.0 d"]
    assert [(item.identity, item.status) for item in outcome.result.resources] == [
        ("a", "changed"),
        ("b", "changed"),
        ("d", "changed"),
        ("c", "unchanged"),
    ]
    assert make_plan("n", resources, outcome.snapshot, ports).summary.none == 4


def test_one_that_fails_fails_alone() -> None:
    """The others are installed one by one, and none is reported that is not there."""
    ports = host("a", "c")
    resources = [package("a"), package("b"), package("c"), a_file("/after")]
    outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=None)
    assert installs(ports) == ["a b c", "a", "b", "c"]
    assert {item.identity: item.status for item in outcome.result.resources} == {
        "a": "changed",
        "b": "failed",
        "c": "changed",
        "/after": "changed",
    }
    assert sorted(ports.packages) == ["a", "c"]
    assert len({item.digest for item in outcome.result.resources}) == 4


class HalfWay(FakeApt):
    """The first common transaction installs its first package and fails then."""

    def run(self, call: ProgramCall) -> CapturedStream:
        if call.argv[-2:] == ("a", "b"):
            super().run(msgspec.structs.replace(call, argv=call.argv[:-1]))
            return CapturedStream(100, "", "E: dpkg returned an error code (1)")
        if call.argv[-1] == "b":
            return CapturedStream(100, "", "E: post-installation script failed")
        return super().run(call)


def test_a_transaction_that_ends_half_way_is_told_item_by_item() -> None:
    """What is there was our doing, what is not failed."""
    ports = host("a", "b")
    ports.programs = HalfWay(ports)
    resources = [package("a"), package("b")]
    outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=None)
    assert [item.status for item in outcome.result.resources] == ["changed", "failed"]
    assert sorted(ports.packages) == ["a"]


class Lying(FakeApt):
    """The common transaction says that all went well, and has installed the first only."""

    def run(self, call: ProgramCall) -> CapturedStream:
        if call.argv[-2:] == ("a", "b"):
            return super().run(msgspec.structs.replace(call, argv=call.argv[:-1]))
        return super().run(call)


def test_what_is_not_there_afterwards_has_failed_whatever_apt_says() -> None:
    """Each item is looked at again by itself."""
    ports = host("a", "b")
    ports.programs = Lying(ports)
    resources = [package("a"), package("b")]
    outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=None)
    assert [item.status for item in outcome.result.resources] == ["changed", "failed"]
    assert "second look" in str(outcome.result.resources[1].error)


def test_what_may_be_waited_for_is_not_overtaken() -> None:
    """Neither a declared dependency that is not done, nor whatever stands in between."""
    ports = host("a", "b", "c")
    source = a_file("/sources.list")
    resources = [package("a"), source, package("b", source), package("c")]
    apply_plan("op", "n", resources, Snapshot(), ports, approved=None)
    assert installs(ports) == ["a", "b c"]
    ports = host("a", "b")
    first = package("a")
    apply_plan("op", "n", [first, package("b", first)], Snapshot(), ports, approved=None)
    assert installs(ports) == ["a", "b"]


def test_what_needs_a_permission_or_has_a_timeout_is_done_alone() -> None:
    """A hold, and a limit that is the item's own."""
    ports = host("a", "b", "c")
    timed = msgspec.structs.replace(package("b"), timeout=60)
    apply_plan(
        "op", "n", [package("a"), timed, package("c", hold=True)], Snapshot(), ports, approved=None
    )
    assert installs(ports) == ["a", "b", "c"]


def test_only_what_was_approved_goes_along() -> None:
    """The rest is stale, as it would be by itself."""
    ports = host("a", "b", "c")
    resources = [package("a"), package("b"), package("c")]
    plan = make_plan("n", resources, Snapshot(), ports)
    some = frozenset(item.digest for item in plan.resources if item.identity != "c")
    outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=some)
    assert installs(ports) == ["a b"]
    assert [item.status for item in outcome.result.resources] == ["changed", "changed", "stale"]


def test_a_kill_in_the_middle_is_resumed_item_by_item() -> None:
    """All were said to be begun before the transaction, so what is found whole was our doing."""
    ports = host("a", "b")
    resources = [package("a"), package("b")]
    told: list[Progress] = []
    apply_plan("op", "n", resources, Snapshot(), ports, approved=None, progress=told.append)
    assert [type(message) for message in told] == [Started, Started, Finished, Finished]
    resume = fold(told[:2])
    outcome = apply_plan(
        "op", "n", resources, Snapshot(), ports, approved=frozenset(), resume=resume
    )
    assert [item.status for item in outcome.result.resources] == ["changed", "changed"]
