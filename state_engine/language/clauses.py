"""Clauses: conditions on a node's attributes and tags, in `supports` and `when`.

Keys of one clause are joined by "and", clauses of a list by "or". Which attributes a node has is
measured elsewhere; here is only which words a clause may use and what follows from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from state_engine.language.problems import Findings, one_of, quote
from state_engine.language.shape import allowed, take_map, take_text
from state_engine.language.yaml_tree import Node, YamlEntry
from state_engine.model import Clause, NodeFacts

CLOSED: dict[str, tuple[str, ...]] = {
    "platform": ("linux", "windows", "macos"),
    "arch": ("x86_64", "aarch64", "armv7"),
    "init_system": ("systemd", "openrc", "init.d", "launchd", "scm"),
}
KNOWN_DISTROS = ("ubuntu", "debian", "rhel", "fedora", "alma", "rocky", "arch", "alpine")
KEYS = ("platform", "distro", "version", "arch", "init_system")

_TAG = re.compile(r"tag\.\S+")
# An init system runs on one platform, and two platforms have only one init system.
_PLATFORM_OF = {
    "systemd": "linux",
    "openrc": "linux",
    "init.d": "linux",
    "launchd": "macos",
    "scm": "windows",
}
_INIT_OF = {"macos": "launchd", "windows": "scm"}


def read_clause(node: Node, what: str, findings: Findings) -> Clause:
    """Return the clause that a mapping holds; wrong keys and values are reported and left out."""
    table = take_map(node, what, node.place, findings)
    if table is None:
        return Clause(())
    terms: list[tuple[str, str]] = []
    for entry in table.entries:
        if entry.key not in KEYS and not _TAG.fullmatch(entry.key):
            _unknown_key(entry, what, findings)
            continue
        value = take_text(entry.node, f"`{entry.key}`", entry.value_place, findings)
        if value is not None and _check_value(entry, value, findings):
            terms.append((entry.key, value))
    return Clause(tuple(terms))


def _unknown_key(entry: YamlEntry, what: str, findings: Findings) -> None:
    hint = f"its keys are {one_of(KEYS)} and tag.<name>"
    suggest: tuple[str, tuple[str, ...]] = (entry.key, KEYS)
    if entry.key.startswith("tag"):
        hint, suggest = "a tag key is `tag.<name>`, the name without spaces", ("", ())
    findings.add(
        entry.place,
        "clause-key",
        f"{what} has no key {quote(entry.key)}",
        hint=hint,
        suggest=suggest,
    )


def _check_value(entry: YamlEntry, value: str, findings: Findings) -> bool:
    key, place = entry.key, entry.value_place
    if "${{" in value:
        findings.add(place, "clause-value", f"`{key}` cannot be an expression", hint="use variants")
        return False
    if not value and not key.startswith("tag."):
        findings.add(place, "clause-value", f"`{key}` is empty")
        return False
    if key in CLOSED and value not in CLOSED[key]:
        message = f"`{key}`: {allowed(value, CLOSED[key])}"
        findings.add(place, "clause-value", message, suggest=(value, CLOSED[key]))
        return False
    if key == "distro" and value not in KNOWN_DISTROS:
        findings.add(
            place,
            "unknown-distro",
            f"distro {quote(value)} is not known; it is matched as written",
            severity="warning",
            hint=f"known are {one_of(KNOWN_DISTROS)}",
            suggest=(value, KNOWN_DISTROS),
        )
    return True


def matches(clause: Clause, facts: NodeFacts) -> bool:
    """Say whether a node meets every term of a clause."""
    return all(_fact(key, facts) == value for key, value in clause.terms)


def _fact(key: str, facts: NodeFacts) -> str | None:
    if key.startswith("tag."):
        return facts.tags.get(key[len("tag.") :])
    return facts.attributes.get(key)


def show(clause: Clause | Mapping[str, str]) -> str:
    """Return a clause as a person writes it on one line; `{}` fits every node."""
    terms = clause.terms if isinstance(clause, Clause) else tuple(clause.items())
    return "{" + ", ".join(f"{key}: {value}" for key, value in terms) + "}"


def joined(*clauses: Iterable[tuple[str, str]]) -> dict[str, str] | None:
    """Return the terms that hold where all clauses hold, with what follows; None if none can."""
    terms: dict[str, str] = {}
    for clause in clauses:
        for key, value in clause:
            if terms.setdefault(key, value) != value:
                return None
    return _closure(terms)


def _closure(terms: dict[str, str]) -> dict[str, str] | None:
    platforms = {terms["platform"]} if "platform" in terms else set[str]()
    if "distro" in terms:
        platforms.add("linux")
    if "init_system" in terms and terms["init_system"] in _PLATFORM_OF:
        platforms.add(_PLATFORM_OF[terms["init_system"]])
    if len(platforms) > 1:
        return None
    for platform in platforms:
        terms["platform"] = platform
        if platform in _INIT_OF:
            terms.setdefault("init_system", _INIT_OF[platform])
    return terms


def cases(clause: Clause) -> list[dict[str, str]]:
    """Return the cases of one `supports` clause, each naming its platform; none if impossible.

    `platform` is the one attribute that every node has and whose values are all known, so it is
    the one that can be split into cases.
    """
    found = [joined(clause.terms, (("platform", name),)) for name in CLOSED["platform"]]
    return [case for case in found if case is not None]


def holds(clause: Clause, case: Mapping[str, str]) -> bool:
    """Say whether a clause follows from the terms of a case alone."""
    return all(case.get(key) == value for key, value in clause.terms)
