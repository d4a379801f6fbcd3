"""What a step means on this host, and how its result is summed up."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent import step_outcomes, work
from agent.work import Circumstances
from protocol import dsse, roster
from protocol.messages import ModuleVersion, Offer
from protocol.reasons import Reason, Refused
from protocol.reports import (
    ApplyResult,
    OperationStatus,
    PlanResult,
    PlanSummary,
    ResourceDiff,
    ResourceResult,
    ResultStatus,
)
from state_engine.model import NodeFacts, Snapshot
from tests.fakes.operators import Operator, first_roster, module
from tests.fakes.sites import site

ADA, EVE = Operator(), Operator(username="eve")
VIC = Operator(username="vic", role="viewer")


def known() -> roster.Roster:
    found = roster.decode(first_roster(ADA, VIC))
    assert isinstance(found, roster.Roster)
    return found


def around() -> Circumstances:
    return Circumstances(NodeFacts("n", "web1", {"platform": "linux"}), known(), Snapshot())


def offer(*modules: ModuleVersion) -> Offer:
    return Offer("r", "state.plan", "l", 1, "op", modules)


def test_only_a_deciding_operators_signature_over_these_bytes_is_trust() -> None:
    """A viewer, a stranger, nobody, other bytes or another kind of statement are none."""
    good = module("site", b"bytes", ADA)
    assert work.is_trusted(good, around())
    assert not work.is_trusted(good, msgspec.structs.replace(around(), roster=None))
    assert good.envelope is not None
    bad = (
        module("site", b"bytes", None),
        module("site", b"bytes", EVE),
        module("site", b"bytes", VIC),
        msgspec.structs.replace(good, content=b"other"),
        msgspec.structs.replace(good, envelope=dsse.sign(dsse.DECISION, b"bytes", ADA.key, ADA.id)),
        msgspec.structs.replace(
            good, envelope=msgspec.structs.replace(good.envelope, payload="not base64!")
        ),
    )
    assert [work.is_trusted(version, around()) for version in bad] == [False] * len(bad)


def test_modules_become_resources_or_a_refusal_with_lines(tmp_path: Path) -> None:
    """What is wrong in a module is said with file and line, at most ten of them."""
    found = work.resolve(offer(module("site", site(tmp_path), ADA)), around())
    assert not isinstance(found, Refused)
    assert [(r.kind, r.trusted) for r in found] == [("directory-unix", True), ("file-unix", True)]
    broken = b"name: site\nsupports:\n  - platform: linux\nresources:\n" + b"  - x: 1\n" * 20
    refused = work.resolve(offer(module("site", broken, ADA)), around())
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.MODULE_INVALID
    assert "site:5:" in refused.detail
    assert "more" in refused.detail.splitlines()[-1]
    other = site(tmp_path).replace(b"platform: linux", b"distro: none-such")
    assert isinstance(work.resolve(offer(module("site", other, ADA)), around()), Refused)


@pytest.mark.parametrize(
    ("status", "items", "outcome"),
    [
        ("succeeded", ("changed",), "succeeded"),
        ("failed", ("failed", "skipped"), "failed"),
        ("failed", ("stale", "skipped"), "failed"),
        ("failed", ("interrupted", "skipped"), "interrupted"),
        ("cancelled", ("changed", "skipped"), "cancelled"),
    ],
)
def test_the_outcome_follows_from_the_result(
    status: OperationStatus, items: tuple[ResultStatus, ...], outcome: str
) -> None:
    """An interrupted item makes the step interrupted, a stale one names the changed plan."""
    results = tuple(ResourceResult("m", "file-unix", "/a", "update", item) for item in items)
    result = ApplyResult("op", "n", ("m",), status, 0.0, 1.0, results)
    found, message, reason = step_outcomes.apply_outcome(result)
    assert found == outcome
    assert message.startswith("plan_changed") is ("stale" in items)
    assert reason is (Reason.PLAN_CHANGED if "stale" in items else None)


def test_modules_whose_checks_were_not_run_are_named_once() -> None:
    """Only items that are unknown for want of a signature count."""
    items = tuple(
        ResourceDiff(module, "script", f"s{number}", action, message=message)
        for number, (module, action, message) in enumerate(
            [
                ("b", "unknown", "unsigned: its check was not run"),
                ("b", "unknown", "unsigned: its check was not run"),
                ("a", "unknown", "unsigned: its check was not run"),
                ("c", "unknown", "another reason"),
                ("d", "none", None),
                ("e", "run", "unsigned: words of another kind"),
            ]
        )
    )
    plan = PlanResult("n", ("a",), items, PlanSummary())
    assert work.unsigned_modules(plan) == ("a", "b")
