"""The account of one apply."""

from __future__ import annotations

import msgspec

from protocol.limits import MAX_ARTIFACT
from protocol.reports import CapturedStream, ResourceDiff
from state_engine.engine.claims import Claims
from state_engine.engine.ledger import Ledger, Settings, result_for
from state_engine.engine.prepared import Memory, Prepared
from state_engine.engine.progress import Resume, ignore
from state_engine.engine.scrub import unchanged
from state_engine.engine.secrets import Secrecy
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.ports import FakePorts
from tests.fakes.resources import a_file, a_script

ITEM = ResourceDiff("base", "file-unix", "/f", "update", digest="d" * 64)


def test_a_decision_covers_digests_and_local_use_covers_all() -> None:
    """None is not the same as nothing."""

    def settings(approved: frozenset[str] | None) -> Settings:
        ports = FakePorts()
        secrecy, memory = Secrecy(ports, (), ()), Memory()
        claims = Claims((), Snapshot(), memory)
        return Settings(ports, memory, approved, ignore, lambda: False, secrecy, claims)

    assert settings(None).covers(ITEM)
    assert settings(frozenset({"d" * 64})).covers(ITEM)
    assert not settings(frozenset()).covers(ITEM)


def test_only_what_is_as_desired_lets_dependants_act() -> None:
    """The first blocker is named."""
    ledger = Ledger(Snapshot(), Resume())
    good, bad = Prepared(a_file("/good")), Prepared(a_file("/bad"))
    ledger.add(good, result_for(good.converged, "changed"))
    ledger.add(bad, result_for(bad.converged, "stale"))
    assert ledger.blocked((good.key,)) is None
    assert ledger.blocked((good.key, bad.key)) == bad.key
    assert ledger.changed == {good.key: "/good"}


def test_phases_of_one_script_stand_together() -> None:
    """A later phase does not replace an earlier one."""
    ledger = Ledger(Snapshot(), Resume())
    key = a_script("s").key
    ledger.capture(key, "check", CapturedStream(1, "", ""), unchanged)
    ledger.capture(key, "apply", CapturedStream(0, "", ""), unchanged)
    output = ledger.output["base/s"]
    assert output.check is not None
    assert output.apply is not None


def test_a_failure_keeps_the_measure_of_drift_and_the_history() -> None:
    """The old desired state stays in the snapshot, with the copy that was kept meanwhile."""
    old, new = a_file("/f", "old"), a_file("/f", "new")
    memory = Memory()
    ledger = Ledger(Snapshot("op1", applied=(AppliedResource(old),)), Resume())
    prepared = memory.get(new)
    ledger.keep(new.key, AppliedResource(new, pre_image="d" * 64))
    ledger.add(prepared, result_for(prepared.converged, "failed"))
    snapshot = ledger.snapshot("op2", [new], memory, "failed")
    assert snapshot == Snapshot("op1", ("base",), (AppliedResource(old, pre_image="d" * 64),))


def test_history_is_not_lost_while_a_resource_changes_hands() -> None:
    """The new owner's item went stale: the old owner's record stays until it is not."""
    old, new = AppliedResource(a_file("/f"), created=True), a_file("/f", "n", module="other")
    memory = Memory()
    ledger = Ledger(Snapshot(applied=(old,)), Resume())
    prepared = memory.get(new)
    ledger.add(prepared, result_for(prepared.converged, "stale"))
    assert ledger.snapshot("op", [new], memory, "failed").applied == (old,)


def test_the_output_of_all_scripts_together_is_bounded() -> None:
    """What is captured after the limit keeps only its end, so the result as a whole still fits."""
    ledger = Ledger(Snapshot(), Resume())
    big = CapturedStream(0, "\0" * 1_000_000, "\0" * 999_990 + "the last")
    for number in range(40):
        ledger.capture(a_script(f"s{number}").key, "apply", big, unchanged)
    assert len(msgspec.json.encode(ledger.output)) < MAX_ARTIFACT
    last = ledger.output["base/s39"].apply
    assert last is not None
    assert last.truncated
    assert last.stderr.endswith("the last")
