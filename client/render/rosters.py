"""Rosters in words: what one holds, and what changes from one version to the next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from client.render.words import counted
from protocol.ids import fingerprint
from protocol.roster import ApprovalRule, Grant, RecoveryKey, Roster, RosterOperator


def roster_lines(held: Roster, digest: str) -> list[str]:
    """Return what a roster holds, line by line."""
    admins = sum(one.role == "admin" for one in held.operators)
    lines = [
        f"version {held.version}, sha256:{digest}",
        f"changed by {held.threshold} of {admins} admins",
    ]
    lines += [f"  {operator_text(one)}" for one in held.operators]
    if held.recovery:
        names = ", ".join(f"{key.name} ({_key(key.public_key)})" for key in held.recovery)
        lines.append(f"or recovered by {held.recovery_threshold} of the keys {names}")
    lines += [f"{scope} is {posture}" for scope, posture in sorted(held.postures.items())]
    lines += [f"in {name}: {rule_text(rule)}" for name, rule in sorted(held.approvals.items())]
    lines += [f"epoch of {scope}: {epoch}" for scope, epoch in sorted(held.epochs.items())]
    return lines


def changes(before: Roster, after: Roster) -> list[str]:
    """Return what changes between two versions, a sentence each."""
    lines = _operators(before, after)
    if after.threshold != before.threshold:
        people = counted(after.threshold, "admin")
        lines.append(f"~ a change takes {people} instead of {before.threshold}")
    lines += _recovery(before, after)
    lines += _entries(
        before.postures, after.postures, lambda scope, posture: f"{scope} is {posture}"
    )
    lines += _entries(
        {name: rule_text(rule) for name, rule in before.approvals.items()},
        {name: rule_text(rule) for name, rule in after.approvals.items()},
        lambda name, rule: f"in {name}: {rule}",
    )
    lines += _entries(
        {scope: str(epoch) for scope, epoch in before.epochs.items()},
        {scope: str(epoch) for scope, epoch in after.epochs.items()},
        lambda scope, epoch: f"decisions in {scope} below epoch {epoch} are void",
    )
    return lines or ["= nothing but the version"]


def operator_text(one: RosterOperator) -> str:
    """Return an operator in a line: name, role, key, whom secrets are sealed to, grants."""
    grants = "; ".join(grant_text(grant) for grant in one.grants)
    limited = f", only {grants}" if grants else ""
    # It is not the operator's key, and whoever holds it reads what is sealed to them.
    sealed = f", secrets to {_key(one.sealing_key)}" if one.sealing_key else ""
    return f"{one.username}, {one.role}, key {_key(one.public_key)}{sealed}{limited}"


def grant_text(grant: Grant) -> str:
    """Return a grant in words."""
    what = " ".join(grant.capabilities) or "everything"
    where = f" in {' '.join(grant.scopes)}" if grant.scopes else ""
    whom = f" on hosts {grant.selector}" if grant.selector else ""
    return f"{what}{where}{whom}"


def rule_text(rule: ApprovalRule) -> str:
    """Return an approval rule in words."""
    people = "operator signs" if rule.quorum == 1 else "operators sign"
    besides = ", besides whoever asked" if rule.requester_excluded else ""
    only = f" ({' '.join(rule.capabilities)})" if rule.capabilities else ""
    return f"{rule.quorum} {people}{besides}{only}"


def _operators(before: Roster, after: Roster) -> list[str]:
    old = {one.operator_id: one for one in before.operators}
    new = {one.operator_id: one for one in after.operators}
    lines = [f"+ {operator_text(new[uid])}" for uid in new if uid not in old]
    lines += [f"- {operator_text(old[uid])}" for uid in old if uid not in new]
    for uid, one in new.items():
        if uid in old and old[uid] != one:
            lines += [f"~ {operator_text(old[uid])}", f"  becomes {operator_text(one)}"]
    return lines


def _recovery(before: Roster, after: Roster) -> list[str]:
    def shown(keys: tuple[RecoveryKey, ...]) -> dict[str, str]:
        return {key.public_key: key.name for key in keys}

    old, new = shown(before.recovery), shown(after.recovery)
    lines = [f"+ recovery key {new[key]} ({_key(key)})" for key in new if key not in old]
    lines += [f"- recovery key {old[key]} ({_key(key)})" for key in old if key not in new]
    lines += [
        f"~ recovery key {old[key]} is called {new[key]} ({_key(key)})"
        for key in new
        if key in old and new[key] != old[key]
    ]
    if after.recovery_threshold != before.recovery_threshold:
        lines.append(
            f"~ a recovery takes {counted(after.recovery_threshold, 'key')} instead of"
            f" {before.recovery_threshold}"
        )
    return lines


def _entries(
    before: Mapping[str, str], after: Mapping[str, str], text: Callable[[str, str], str]
) -> list[str]:
    lines = [f"+ {text(key, value)}" for key, value in after.items() if key not in before]
    lines += [f"- {text(key, value)}" for key, value in before.items() if key not in after]
    lines += [
        f"~ {text(key, value)} (it was: {before[key]})"
        for key, value in after.items()
        if key in before and before[key] != value
    ]
    return lines


def _key(public: str) -> str:
    try:
        return fingerprint(bytes.fromhex(public))[:19]
    except ValueError:
        # Of a sealing key nobody has checked what was signed; nothing is sealed to such a one.
        return "that is none"
