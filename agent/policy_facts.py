"""What this host tells of its own policy, so that people know beforehand whose signatures it takes.

It is news for the coordinator and nothing more: the file itself is asked again at every offer.
"""

from __future__ import annotations

from pathlib import Path

from agent import policy_file

Told = dict[str, int | float | str | None]


def told(path: Path) -> Told:
    """Return quorum, signature class and the exclusion of the requester, of each rule in the file.

    Of a file that cannot be understood only that is told: the host refuses everything then.
    """
    try:
        found = policy_file.load(path)
    except policy_file.PolicyFileError as error:
        return {"policy.problem": str(error)}
    facts: Told = {}
    for name, rule in sorted(found.capabilities.items()):
        facts[f"policy.quorum.{name}"] = rule.quorum
        facts[f"policy.signature.{name}"] = rule.signature
        facts[f"policy.requester_excluded.{name}"] = int(rule.requester_excluded)
    return facts
