"""What is desired against what was last applied."""

from __future__ import annotations

import msgspec

from state_engine.engine.pending import find_pending
from state_engine.engine.redaction import MASK
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.resources import a_file, a_script


def held(*applied: AppliedResource) -> Snapshot:
    return Snapshot(applied=applied)


def test_each_way_to_be_pending_has_its_action() -> None:
    """In the order of the desired resources, removals last; what is as applied is left out."""
    same, half, script = a_file("/same"), a_file("/half"), a_script("s")
    snapshot = Snapshot(
        applied=(
            AppliedResource(a_file("/old")),
            AppliedResource(same),
            AppliedResource(a_file("/other", "v1")),
            AppliedResource(half, incomplete=True),
            AppliedResource(script),
        ),
        pending=(script.key,),
    )
    found = find_pending((a_file("/new"), same, a_file("/other", "v2"), half, script), snapshot)
    assert [(item.identity, item.action) for item in found] == [
        ("/new", "create"),
        ("/other", "update"),
        ("/half", "create"),
        ("s", "run"),
        ("/old", "remove"),
    ]
    assert all(not item.digest for item in found)


def test_a_change_shows_both_values() -> None:
    """Short ones as they are, long ones by their lines."""
    before = a_file("/f", "a\nb\n", mode="0600", owner="root")
    after = a_file("/f", "a\nc\n", mode="0644")
    [item] = find_pending((after,), held(AppliedResource(before)))
    changes = {change.field: change for change in item.changes}
    assert (changes["mode"].current, changes["mode"].desired) == ("0600", "0644")
    assert (changes["owner"].current, changes["owner"].desired) == ("root", None)
    assert changes["content"].diff[-2:] == ("-b", "+c")
    assert str(changes["content"].desired).startswith("sha256:")


def test_what_is_sensitive_now_or_was_then_is_not_shown() -> None:
    """A secret that left the module is still one."""
    secret = a_file("/f", "hunter2", sensitive=("content",))
    plain = a_file("/f", "public")
    for before, after in ((secret, plain), (plain, secret)):
        [item] = find_pending((after,), held(AppliedResource(before)))
        assert [(change.current, change.desired) for change in item.changes] == [(MASK, MASK)]


def test_what_another_module_takes_over_is_not_pending() -> None:
    """It is the same thing, and is as desired."""
    before, after = a_file("/f"), a_file("/f", module="other")
    assert find_pending((after,), held(AppliedResource(before))) == ()
    changed = msgspec.structs.replace(after, spec={"path": "/f", "content": "new"})
    [item] = find_pending((changed,), held(AppliedResource(before)))
    assert (item.action, item.module) == ("update", "other")
