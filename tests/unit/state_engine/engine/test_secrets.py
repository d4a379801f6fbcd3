"""Secrets in one operation: in the file, in nothing that is said or kept."""

from __future__ import annotations

import msgspec
import pytest

from protocol.reports import CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.secrets import Secrecy, revealed, value_of
from state_engine.model import AppliedResource, ResolvedResource, Snapshot
from state_engine.ports import PortError
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, a_script

VALUE = "correct horse"


def a_secret_file(ports: FakePorts, value: str = VALUE, version: int = 1) -> ResolvedResource:
    """Return a file with a secret in one line of three."""
    reference = ports.secret("db", value, version).reference
    text = f"user=app\npassword={reference}\nport=5432\n"
    return a_file("/etc/app.conf", text, mode="0600", sensitive=("content",))


def test_the_file_holds_the_value_and_nothing_else_does() -> None:
    """Plan, result, snapshot and every message that is made durable hold the reference."""
    ports = FakePorts()
    ports.files.put("/etc", Node("directory", 0o755, 0, 0))
    wanted = a_secret_file(ports)
    told: list[object] = []
    plan = make_plan("n", [wanted], Snapshot(), ports)
    outcome = apply_plan(
        "op", "n", [wanted], Snapshot(), ports, approved=None, progress=told.append
    )
    content = b"user=app\npassword=correct horse\nport=5432\n"
    assert ports.files.nodes["/etc/app.conf"].content == content
    kept = [msgspec.json.encode(one) for one in (plan, outcome, told)]
    assert not any(VALUE.encode() in one for one in kept)
    assert make_plan("n", [wanted], outcome.snapshot, ports).summary.none == 1
    assert find_drift(outcome.snapshot, ports) == ()


def test_a_plan_shows_everything_but_the_value() -> None:
    """The lines around it can be reviewed; the changed value is told by its name."""
    ports = FakePorts()
    ports.files.put("/etc", Node("directory", 0o755, 0, 0))
    old, new = a_secret_file(ports), a_secret_file(ports, "battery staple", 2)
    held = apply_plan("op", "n", [old], Snapshot(), ports, approved=None).snapshot
    ports.files.nodes["/etc/app.conf"].mode = 0o644
    (item,) = make_plan("n", [new], held, ports).resources
    content = next(change for change in item.changes if change.field == "content")
    assert "-password=(secret db, as it was)" in content.diff
    assert "+password=(secret db v2)" in content.diff
    assert " user=app" in content.diff
    assert (content.current or "").startswith("hmac:")
    assert content.current != content.desired
    assert not any(word in str(item) for word in (VALUE, "battery staple"))


def test_drift_is_seen_and_told_without_the_value() -> None:
    """Somebody else's line may be an older secret, so it is hidden; that there is one is said."""
    ports = FakePorts()
    ports.files.put("/etc", Node("directory", 0o755, 0, 0))
    held = apply_plan("op", "n", [a_secret_file(ports)], Snapshot(), ports, approved=None).snapshot
    text = b"user=app\npassword=correct horse\n# was: older-secret\nport=1\n"
    ports.files.put("/etc/app.conf", Node("file", 0o644, 0, 0, text))
    (item,) = find_drift(held, ports)
    assert item.action == "update"
    assert not any(word in str(item) for word in (VALUE, "older-secret"))


def test_a_rotated_secret_is_another_item() -> None:
    """The digest that a decision binds covers the version and, keyed, the value."""
    ports = FakePorts()
    ports.files.put("/etc", Node("directory", 0o755, 0, 0))
    digests = set()
    for value, version in ((VALUE, 1), (VALUE, 2), ("battery staple", 3)):
        wanted = a_secret_file(ports, value, version)
        digests.add(make_plan("n", [wanted], Snapshot(), ports).resources[0].digest)
    assert len(digests) == 3


def test_output_that_says_a_secret_is_scrubbed_whoever_says_it() -> None:
    """A script that holds none may print what another resource has put on the disk."""
    ports = FakePorts()
    ports.files.put("/etc", Node("directory", 0o755, 0, 0))
    ports.programs.known["s apply"] = lambda: CapturedStream(
        9, f"out {VALUE}", "x" * 194 + f" {VALUE} and the rest\n"
    )
    resources = [a_secret_file(ports), a_script("s")]
    outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=None)
    shown = str(outcome.result)
    # The error quotes 200 characters of the line, so a cut after the fifth of the value: it has to
    # be taken out before.
    assert "xxx [sec" in (outcome.result.resources[1].error or "")
    assert not any(part in shown for part in (VALUE, "corre"))


def test_a_secret_that_is_not_there_is_an_item_in_error() -> None:
    """Nothing is done, and the message names it."""
    ports = FakePorts()
    wanted = a_secret_file(ports)
    ports.secrets.held.clear()
    (item,) = make_plan("n", [wanted], Snapshot(), ports).resources
    assert item.action == "error"
    assert "secret db v1" in (item.message or "")
    result = apply_plan("op", "n", [wanted], Snapshot(), ports, approved=None).result
    assert (result.resources[0].status, ports.files.writes) == ("failed", [])


def test_a_reference_to_another_value_is_refused() -> None:
    """Somebody who swaps the value under a name and version is noticed."""
    ports = FakePorts()
    wanted = a_secret_file(ports)
    ports.secrets.held["db", 1] = "another"
    (item,) = make_plan("n", [wanted], Snapshot(), ports).resources
    assert (item.action, "not the value" in (item.message or "")) == ("error", True)
    with pytest.raises(PortError):
        revealed(wanted, ports)


def test_nothing_is_opened_where_nothing_is_secret() -> None:
    """An operation without secrets pays nothing for them."""
    ports = FakePorts()
    plain = a_file("/f")
    assert revealed(plain, ports) is plain.spec
    secrecy = Secrecy(ports, [plain], [AppliedResource(plain)])
    assert secrecy.scrub("whatever") == "whatever"


def test_a_value_is_opened_by_its_reference() -> None:
    """And matches the fingerprint in it."""
    ports = FakePorts()
    assert value_of(ports.secret("a", "some value").reference, ports) == "some value"
