"""The host's own policy is asked of every resource that would be touched, before anything acts."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from agent import policy_check
from protocol.canonical import Json
from protocol.commands import Command
from protocol.policy import CapabilityRule
from protocol.reasons import Reason, Refused
from state_engine.model import AppliedResource, ResolvedResource, Snapshot

OWN = pwd.getpwuid(os.geteuid()).pw_name

NOTHING = Snapshot()


def resource(kind: str, identity: str = "it", **spec: Json) -> ResolvedResource:
    return ResolvedResource("m", kind, identity, spec)


def file(path: str, **spec: Json) -> ResolvedResource:
    return resource("file-unix", path, path=path, content="x", **spec)


def found(item: ResolvedResource, **rule: object) -> Reason | None:
    verdict = policy_check.forbidden((item,), NOTHING, CapabilityRule(**rule))  # type: ignore[arg-type]  # tests know
    return verdict.reason if isinstance(verdict, Refused) else None


def test_a_rule_that_limits_nothing_forbids_nothing() -> None:
    """A host without such lines in its policy takes whatever was approved."""
    assert found(resource("script", apply="rm -rf /")) is None
    assert found(resource("no-such-kind")) is None


def test_kinds_are_a_list_of_what_is_allowed() -> None:
    """Any other is refused, by name."""
    assert found(file("/srv/a"), kinds=("file-unix",)) is None
    assert found(resource("script"), kinds=("file-unix",)) is Reason.POLICY_KIND


@pytest.mark.parametrize(
    ("item", "user"),
    [
        (file("/srv/a"), None),
        (file("/srv/a", validate=["true"]), "root"),
        (resource("script", user="app"), "app"),
        (resource("script"), "root"),
        (resource("script", user=""), "root"),
        (resource("script", user=0), "root"),
        (resource("script", user="0"), "root"),
        (resource("cron", user="app"), "app"),
        (resource("package-apt", name="nginx"), "root"),
        (resource("service-systemd", name="nginx"), "root"),
    ],
    ids=str,
)
def test_programs_run_as_somebody(item: ResolvedResource, user: str | None) -> None:
    """Of a kind that may run anything it is root, unless it says who."""
    assert policy_check.runs_as(item) == user
    assert found(item, users=("other",)) is (None if user is None else Reason.POLICY_USER)
    assert found(item, users=("root", "app")) is None


@pytest.mark.parametrize(
    ("path", "rule", "expected"),
    [
        ("/srv/a", {"paths": ("/srv",)}, None),
        ("/srv", {"paths": ("/srv",)}, None),
        ("/srv2/a", {"paths": ("/srv",)}, Reason.POLICY_PATH),
        ("/etc/passwd", {"paths": ("/srv",)}, Reason.POLICY_PATH),
        ("/srv/../etc/passwd", {"paths": ("/srv",)}, Reason.POLICY_PATH),
        ("//etc/passwd", {"deny_paths": ("/etc",)}, Reason.POLICY_PATH),
        ("/etc/passwd", {"paths": ("/",)}, None),
        ("/etc/passwd", {"paths": ("/srv", "/etc")}, None),
        ("/etc/passwd", {"deny_paths": ("/etc",)}, Reason.POLICY_PATH),
        ("/etc", {"deny_paths": ("/etc/shadow",)}, Reason.POLICY_PATH),
        ("/etcetera", {"deny_paths": ("/etc",)}, None),
        ("/srv/a", {"deny_paths": ("/etc", "/srv/a/b")}, Reason.POLICY_PATH),
        ("/srv/a", {"paths": ("/srv",), "deny_paths": ("/srv/b",)}, None),
        ("/srv/b", {"paths": ("/srv",), "deny_paths": ("/srv/b",)}, Reason.POLICY_PATH),
    ],
)
def test_paths_are_beneath_what_is_allowed_and_clear_of_what_is_denied(
    path: str, rule: dict[str, object], expected: Reason | None
) -> None:
    """To the letter of whole names; a directory on the way to a denied path is denied too."""
    assert found(file(path), **rule) is expected


def test_links_of_the_host_are_seen_through(tmp_path: Path) -> None:
    """A path inside that leads outside is outside, whether by its parents or itself."""
    allowed, outside = tmp_path / "allowed", tmp_path / "outside"
    allowed.mkdir()
    outside.mkdir()
    (allowed / "way").symlink_to(outside)
    (allowed / "file").symlink_to(outside / "file")
    rule: dict[str, object] = {"paths": (str(allowed),)}
    assert found(file(f"{allowed}/way/x"), **rule) is Reason.POLICY_PATH
    assert found(file(f"{allowed}/file"), **rule) is Reason.POLICY_PATH
    assert found(file(f"{allowed}/plain"), **rule) is None
    assert found(file(f"{allowed}/way/x"), deny_paths=(f"{allowed}/way",)) is Reason.POLICY_PATH
    hidden = resource("symlink-unix", path=f"{allowed}/way/x", target=f"{allowed}/plain")
    assert found(hidden, **rule) is Reason.POLICY_PATH
    # A resource that is a link replaces the one that stands there; where it leads counts.
    inside = resource("symlink-unix", path=f"{allowed}/file", target=f"{allowed}/plain")
    assert found(inside, **rule) is None
    for target in (str(outside), "../outside"):
        leading = resource("symlink-unix", path=f"{allowed}/file", target=target)
        assert found(leading, **rule) is Reason.POLICY_PATH


def test_a_kind_whose_writes_nobody_knows_has_to_be_named() -> None:
    """Where paths are limited, a script passes only if the owner lets scripts do as they like."""
    for item in (resource("script", creates="/srv/a"), resource("package-apt", name="x")):
        assert found(item, paths=("/", "/srv")) is Reason.POLICY_PATH
        assert found(item, paths=("/",), kinds=(item.kind,)) is None
    checked = file("/srv/a", validate=["sh", "-c", "true"])
    assert found(checked, paths=("/srv",)) is Reason.POLICY_PATH
    assert found(resource("file-unix"), paths=("/",)) is Reason.POLICY_PATH
    strange = resource("no-such-kind", path="/srv/a")
    assert found(strange, paths=("/srv",)) is Reason.POLICY_PATH
    assert found(strange, paths=("/srv",), kinds=("no-such-kind",)) is None
    # What is denied by path can be asked only of those that name paths.
    assert found(resource("script", apply="true"), deny_paths=("/etc",)) is None
    assert found(resource("script", creates="/etc/x"), deny_paths=("/etc",)) is Reason.POLICY_PATH


def test_what_a_kind_touches_beside_its_own_path_counts() -> None:
    """A user is a line in the file of accounts, and denied with it."""
    user = resource("user-unix", name="app", username="app")
    assert found(user, deny_paths=("/etc/passwd",)) is Reason.POLICY_PATH


def test_removals_are_asked_as_well() -> None:
    """What goes because it is no longer desired is touched; what stays desired is asked once."""
    old = file("/etc/motd")
    snapshot = Snapshot(applied=(AppliedResource(old),))
    rule = CapabilityRule(paths=("/srv",))
    refused = policy_check.forbidden((file("/srv/a"),), snapshot, rule)
    assert refused == Refused(
        Reason.POLICY_PATH, "policy.toml: file-unix /etc/motd: /etc/motd is outside /srv"
    )
    kept = Snapshot(applied=(AppliedResource(file("/srv/a", mode="0600")),))
    assert policy_check.forbidden((file("/srv/a"),), kept, rule) is None


@pytest.mark.parametrize(
    ("rule", "user", "reason"),
    [
        (CapabilityRule(), "", None),
        (CapabilityRule(kinds=("script",)), "", Reason.POLICY_PATH),
        (CapabilityRule(paths=("/srv",)), "", Reason.POLICY_PATH),
        (CapabilityRule(deny_paths=("/etc",)), "", Reason.POLICY_PATH),
        (CapabilityRule(users=(OWN,)), "", None),
        (CapabilityRule(users=("deploy", "1000")), "", Reason.POLICY_USER),
        (CapabilityRule(users=("deploy", "1000")), "deploy", None),
        (CapabilityRule(users=("deploy", "1000")), "1000", None),
        (CapabilityRule(users=("deploy", "1000")), "1001", Reason.POLICY_USER),
        (CapabilityRule(users=("deploy", "1000")), "00", Reason.POLICY_USER),
        (CapabilityRule(users=("root",)), "0", None),
        (CapabilityRule(users=("root",)), "1", Reason.POLICY_USER),
    ],
)
def test_a_command_runs_as_one_of_the_users_and_under_no_bound_of_paths(
    rule: CapabilityRule, user: str, reason: Reason | None
) -> None:
    """A number is a user like a name, and 0 is root however it is written."""
    refused = policy_check.forbidden_command(Command(argv=("/bin/true",), user=user), rule)
    assert (None if refused is None else refused.reason) == reason
