"""What the host's own policy file forbids of the resources that an apply would touch.

Asked of the resolved resources, and of those that would be removed, before anything acts. Who may
decide and when is judged with the decision (`protocol.decisions`).
"""

from __future__ import annotations

import os
import posixpath
import pwd
from collections.abc import Iterable, Iterator

import msgspec

from protocol.commands import Command
from protocol.policy import CapabilityRule
from protocol.reasons import Reason, Refused
from state_engine.model import ResolvedResource, Snapshot

# Kinds that write where their specification says and nowhere else, and run nothing unless they
# hold a program that checks the file. Of all others nobody can say what they write, or as whom.
WRITES_AT_PATH = frozenset(
    {
        "file-unix",
        "directory-unix",
        "symlink-unix",
        "line-in-file",
        "block-in-file",
        "ini-setting",
        "hosts-entry",
        "sudoers",
    }
)
# Fields of a specification that name what is written, beside the paths that its kind watches.
_PATH_FIELDS = ("path", "target", "dest", "destination")


def forbidden(
    resources: Iterable[ResolvedResource], snapshot: Snapshot, rule: CapabilityRule
) -> Refused | None:
    """Return the first resource that the rule does not allow; removals count as well."""
    if not (rule.kinds or rule.users or rule.paths or rule.deny_paths):
        return None
    wanted = list(resources)
    kept = {resource.key for resource in wanted}
    leaving = (applied.resource for applied in snapshot.applied)
    for resource in (*wanted, *(left for left in leaving if left.key not in kept)):
        refused = _kind(resource, rule) or _user(resource, rule) or _path(resource, rule)
        if refused is not None:
            return refused
    return None


def forbidden_command(command: Command, rule: CapabilityRule) -> Refused | None:
    """Return why the rule does not allow a command.

    What a command writes nobody can say beforehand, so a rule that bounds that forbids it.
    """
    if rule.kinds or rule.paths or rule.deny_paths:
        text = "policy.toml: command.run: kinds and paths cannot be held to in a command"
        return Refused(Reason.POLICY_PATH, text)
    user = command.user or pwd.getpwuid(os.geteuid()).pw_name
    # A user may be written as a number; 0 is root's.
    user = "root" if user.isdecimal() and int(user) == 0 else user
    if rule.users and user not in rule.users:
        text = f"policy.toml: command.run: it would run as {user[:64]}, not as one of the users"
        return Refused(Reason.POLICY_USER, f"{text} {', '.join(rule.users)}")
    return None


def _kind(resource: ResolvedResource, rule: CapabilityRule) -> Refused | None:
    if not rule.kinds or resource.kind in rule.kinds:
        return None
    return _no(Reason.POLICY_KIND, resource, f"kinds are {', '.join(rule.kinds)}")


def _user(resource: ResolvedResource, rule: CapabilityRule) -> Refused | None:
    user = runs_as(resource)
    if not rule.users or user is None or user in rule.users:
        return None
    return _no(Reason.POLICY_USER, resource, f"it runs programs as {user}")


def runs_as(resource: ResolvedResource) -> str | None:
    """Return the user that a resource runs programs as; None if it runs none."""
    spec = resource.spec
    if resource.kind in WRITES_AT_PATH:
        return "root" if spec.get("validate") else None
    if resource.kind in {"script", "cron"}:
        user = spec.get("user")
        # A user may be written as a number; 0 is root's.
        return "root" if user is None or str(user) in {"", "0"} else str(user)
    return "root"


def _path(resource: ResolvedResource, rule: CapabilityRule) -> Refused | None:
    if not rule.paths and not rule.deny_paths:
        return None
    touched = tuple(_paths(resource))
    for path in touched:
        for denied in rule.deny_paths:
            # Who may move or open a directory on the way to a file has the file.
            if is_beneath(path, denied) or is_beneath(denied, path):
                return _no(Reason.POLICY_PATH, resource, f"{denied} is not to be touched")
        if rule.paths and not any(is_beneath(path, allowed) for allowed in rule.paths):
            return _no(Reason.POLICY_PATH, resource, f"{path} is outside {', '.join(rule.paths)}")
    bounded = resource.kind in WRITES_AT_PATH and not resource.spec.get("validate")
    if rule.paths and (not bounded or not touched) and resource.kind not in rule.kinds:
        text = "what it writes is not known, so `kinds` has to name it"
        return _no(Reason.POLICY_PATH, resource, text)
    return None


def _paths(resource: ResolvedResource) -> Iterator[str]:
    """Return all that a resource names, as written and as the host's links lead to it."""
    for text in _named(resource):
        path = posixpath.normpath(text)
        path = path[1:] if path.startswith("//") else path
        yield path
        parent, name = posixpath.split(path)
        yield posixpath.join(os.path.realpath(parent), name)
        if resource.kind != "symlink-unix":
            # A link there may be written through; only a resource that is a link replaces it.
            yield os.path.realpath(path)


def _named(resource: ResolvedResource) -> Iterator[str]:
    from state_engine.resources.registry import KINDS

    own = resource.spec.get("path")
    base = posixpath.dirname(own) if isinstance(own, str) else "/"
    for name in _PATH_FIELDS:
        value = resource.spec.get(name)
        if isinstance(value, str):
            # The target of a link counts: what is written next could go through it.
            yield posixpath.join(base, value)
    kind = KINDS.get(resource.kind)
    if kind is None:
        return
    try:
        yield from kind.watches(resource.spec)
    except msgspec.ValidationError:
        # Applied by another version of the engine, which will say itself what is wrong.
        return


def is_beneath(path: str, top: str) -> bool:
    """Say whether a normal absolute path is another one or lies under it."""
    return path == top or path.startswith(top.rstrip("/") + "/")


def _no(reason: Reason, resource: ResolvedResource, text: str) -> Refused:
    return Refused(reason, f"policy.toml: {resource.kind} {resource.identity[:256]}: {text}")
