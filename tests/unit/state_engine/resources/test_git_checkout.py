"""The kind git-checkout; with real git in tests/integration/test_kind_git_checkout.py."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.resources.contract import Context, RunScript
from state_engine.resources.git_checkout import GitCheckout, GitObservation
from state_engine.resources.parts.git_tools import Worktree
from tests.fakes.resources import resource

KIND = GitCheckout()
OLD, NEW = "1" * 40, "2" * 40
URL = "https://git.example.org/a.git"


def spec(**fields: Json) -> dict[str, Json]:
    return {"path": "/srv/t", "repo": URL, **fields}


def seen(*, target: str | None = NEW, note: str | None = None, **tree: object) -> GitObservation:
    worktree = Worktree(**{"head": OLD, "owner": "root", **tree})  # type: ignore[arg-type]
    return GitObservation(worktree, target, URL, note)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "commit"),
        ({"tag": "a", "branch": "b"}, "branch"),
        ({"commit": "abc"}, "commit"),
        ({"commit": OLD.upper().replace("1", "A")}, "commit"),
        ({"tag": "--upload-pack=x"}, "tag"),
        ({"branch": "a:b"}, "branch"),
        ({"tag": "a", "path": "srv"}, "path"),
        ({"tag": "a", "owner": "a b"}, "owner"),
        ({"tag": "a", "repo": None}, "repo"),
        ({"tag": "a", "repo": "ext::sh -c x"}, "repo"),
        ({"tag": "a", "allowed_signers": "keys"}, "allowed_signers"),
        ({"ensure": "absent"}, "repo"),
    ],
)
def test_what_is_refused(fields: dict[str, Json], wrong: str) -> None:
    """With the field that is wrong."""
    assert [problem.field for problem in KIND.validate(spec(**fields))] == [wrong]


def test_only_a_branch_needs_a_trusted_module_to_be_looked_at() -> None:
    """A tag or commit that is there is not asked for."""
    assert KIND.validate(spec(tag="v1", depth=1)) == []
    assert [KIND.runs_code(spec(**{field: "x"})) for field in ("commit", "tag", "branch")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("found", "fields", "action", "field"),
    [
        (GitObservation(target=NEW), {}, "create", "revision"),
        (seen(), {}, "update", "revision"),
        (seen(target=OLD), {}, "none", None),
        (seen(target=OLD, changed=("f",)), {}, "error", "changed"),
        (seen(target=OLD, changed=("f",)), {"force": True}, "update", "changed"),
        (seen(owner="app"), {"owner": "root"}, "error", None),
        (seen(target=None, note="cut off"), {}, "none", None),
        (seen(target=None, note="cut off", changed=("f",)), {"force": True}, "update", "changed"),
    ],
)
def test_what_is_due(
    found: GitObservation, fields: dict[str, Json], action: str, field: str | None
) -> None:
    """Local changes and another's tree are errors; a remote that is away changes nothing."""
    difference = KIND.compare(spec(branch="main", **fields), found, Context())
    shown = difference.changes[0].field if difference.changes else None
    assert (difference.action, shown) == (action, field)


def test_a_commit_that_is_shown_is_the_commit_that_is_checked_out() -> None:
    """A branch that moves between plan and apply does not bring what nobody saw."""
    difference = KIND.compare(spec(branch="main"), seen(), Context())
    last = KIND.steps(spec(branch="main"), difference)[-1]
    assert isinstance(last, RunScript)
    assert last.call.argv[-1] == f"{NEW}^{{commit}}"


@pytest.mark.parametrize(
    ("found", "created", "goes"),
    [
        (seen(target=OLD), True, True),
        (seen(target=OLD), False, False),
        (seen(target=OLD, others=1), True, False),
        (seen(target=OLD, changed=("f",)), True, False),
        (seen(target=OLD, branches=("mine",)), True, False),
        (None, True, False),
    ],
)
def test_only_our_own_checkout_without_work_goes(
    found: GitObservation | None, created: bool, goes: bool
) -> None:
    """Everything else is kept, with the reason."""
    item = resource("git-checkout", "/srv/t", spec(tag="v1"))
    undo = KIND.undo(item.spec, found, AppliedResource(item, created=created))
    assert bool(undo.steps) == goes
    assert goes or (undo.message or "").startswith("kept:")


def test_a_password_in_an_address_that_somebody_set_is_not_shown() -> None:
    """A plan is read by more people than `.git/config` is."""
    address = "https://me:hunter2@git.example.org/a.git"
    found = GitObservation(Worktree(OLD, "root"), OLD, address)
    difference = KIND.compare(spec(commit=OLD), found, Context())
    assert [change.field for change in difference.changes] == ["repo"]
    assert "hunter2" not in str(difference.changes)
    assert "git.example.org" in str(difference.changes)
