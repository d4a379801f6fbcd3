"""What a plan tells of files that not every user may read: it needs no decision, so nothing.

A coordinator makes modules of its own and has them planned. Whoever knows all of a file but one
password can try all passwords against any plain digest of it, so none may leave the host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
import pytest

from protocol.reports import PlanResult
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.model import ResolvedResource, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, resource

pytestmark = pytest.mark.hostile
PATH, CONTENT = "/etc/app.conf", b"user=app\npin=4831\n"
Kept = Callable[[FakePorts], Snapshot]


def one(kind: str, **spec: str) -> ResolvedResource:
    return resource(kind, PATH, {"path": PATH, **spec}, module="evil")


PROBES: dict[str, ResolvedResource] = {
    "file": a_file(PATH, "x\n", module="evil"),
    "mode": a_file(PATH, None, mode="0604", module="evil"),
    "absent": a_file(PATH, None, ensure="absent", module="evil"),
    "line": one("line-in-file", match="^pin=", line="pin=0"),
    "ini": one("ini-setting", key="pin", value="0"),
    "block": one("block-in-file", block="x", marker="m"),
}


def host(content: bytes, *, mode: int = 0o600, above: int = 0o755, key: bytes = b"k") -> FakePorts:
    """A host with a file."""
    ports = FakePorts(key=key * 32)
    ports.files.put("/etc", Node("directory", above, 0, 0))
    ports.files.put(PATH, Node("file", mode, 0, 0, content))
    return ports


def observed(plan: PlanResult) -> list[str]:
    return [item.observed for item in plan.resources]


@pytest.mark.parametrize(("mode", "above"), [(0o600, 0o755), (0o640, 0o755), (0o644, 0o700)])
@pytest.mark.parametrize("probe", PROBES)
def test_no_guess_at_a_private_file_can_be_tried_elsewhere(
    probe: str, mode: int, above: int
) -> None:
    """Another machine that guesses right finds the same digests only if it holds the host's key."""
    wanted = PROBES[probe]
    own = host(CONTENT, mode=mode, above=above)
    plan = make_plan("n", [wanted], Snapshot(), own)
    assert plan.resources[0].action not in {"none", "error", "unknown"}
    guess = make_plan("n", [wanted], Snapshot(), host(CONTENT, mode=mode, above=above, key=b"g"))
    assert observed(plan) != observed(guess)
    again = make_plan("n", [wanted], Snapshot(), own)
    assert observed(plan) == observed(again)
    said = msgspec.json.encode(plan).decode()
    assert hashlib.sha256(CONTENT).hexdigest() not in said
    assert "4831" not in said
    done = apply_plan(
        "op", "n", [wanted], Snapshot(), own, approved=frozenset({plan.resources[0].digest})
    )
    assert done.result.status == "succeeded"


def test_what_every_user_may_read_is_named_by_its_digest() -> None:
    """There is nothing to hide, and people compare it."""
    plan = make_plan("n", [PROBES["file"]], Snapshot(), host(CONTENT, mode=0o644))
    assert plan.resources[0].changes[0].current == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def test_a_removal_tells_nothing_of_what_was_private_before() -> None:
    """Neither of what stands there nor of the copy that was kept of what did."""
    applied = a_file(PATH, "ours 77\n", mode="0644")
    digests: list[list[str]] = []
    for key in (b"k", b"g"):
        ports = host(CONTENT, key=key)
        held = apply_plan("op", "n", [applied], Snapshot(), ports, approved=None).snapshot
        plan = make_plan("n", [], held, ports)
        assert plan.resources[0].action == "remove"
        assert hashlib.sha256(CONTENT).hexdigest() not in msgspec.json.encode(plan).decode()
        digests.append([plan.resources[0].desired])
    assert digests[0] != digests[1]


def test_the_host_is_no_oracle_for_guesses() -> None:
    """A module that wants the guess elsewhere, as a secret, shows another fingerprint of it."""
    ports = host(CONTENT)
    guess = a_file("/etc/new", CONTENT.decode(), sensitive=("content",), module="evil")
    plan = make_plan("n", [PROBES["file"], guess], Snapshot(), ports)
    found = {change.current for item in plan.resources for change in item.changes} - {None}
    wanted = {change.desired for item in plan.resources for change in item.changes} - {None}
    assert any(text.startswith("hmac:") for text in found if text)
    assert any(text.startswith("hmac:") for text in wanted if text)
    assert found.isdisjoint(wanted)
