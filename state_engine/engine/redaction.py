"""Showing the changes of a resource that holds a secret: structure instead of a blotted-out field.

A line is shown if the module says it, with the names of secrets where their values stand. A line
that nobody can account for is hidden, for it may hold an older secret. Values are told apart by a
keyed hash, which shows that they differ and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.model import ResolvedResource
from state_engine.ports import Ports
from state_engine.references import Reference, parts_of, references_in, shown

# What stands for a sensitive value that no reference names: nothing is known of it but that.
MASK = "(sensitive)"
HIDDEN = "(hidden: it may hold a secret)"
# Words of the kinds' own, and no value of anybody's.
WORDS = frozenset({"run", "present", "absent"})
# A text that is longer is told by its fingerprint.
MAX_SHOWN = 200
# Lines with secrets for which a diff is searched; beyond them lines are hidden.
MAX_TEMPLATES = 64


def redacted(
    changes: tuple[Change, ...],
    resource: ResolvedResource,
    before: ResolvedResource | None,
    ports: Ports,
) -> tuple[Change, ...]:
    """Return the changes as they may be shown; `before` is the resource as it was applied."""
    known = _Known([resource] if before is None else [resource, before])
    hidden = {*resource.sensitive, *(() if before is None else before.sensitive)}
    return tuple(_redacted(change, resource, known, hidden, ports) for change in changes)


def spoken(
    changes: tuple[Change, ...], resources: Iterable[ResolvedResource]
) -> tuple[Change, ...]:
    """Return changes between specifications (not of the host) as they may be shown.

    A specification holds references, never values; what is sensitive without one is masked.
    """
    hidden: set[str] = set()
    opaque: set[str] = set()
    for resource in resources:
        hidden.update(resource.sensitive)
        opaque.update(_opaque(resource))
    if not hidden:
        return changes
    return tuple(_spoken(change, hidden, opaque) for change in changes)


def opaque_texts(resource: ResolvedResource) -> Iterator[str]:
    """Return the texts of sensitive fields that no reference stands in: all of them is secret."""
    yield from _texts([resource.spec[field] for field in _opaque(resource)])


def _opaque(resource: ResolvedResource) -> Iterator[str]:
    for field in resource.sensitive:
        if field in resource.spec and not any(references_in(resource.spec[field])):
            yield field


def _spoken(change: Change, hidden: set[str], opaque: set[str]) -> Change:
    if change.field not in hidden:
        return change
    current, desired = change.current, change.desired
    if change.field in opaque:
        return Change(
            change.field,
            None if current is None else MASK,
            None if desired is None else MASK,
            sensitive=True,
        )
    return Change(
        change.field,
        None if current is None else shown(current),
        None if desired is None else shown(desired),
        sensitive=True,
        diff=tuple(map(shown, change.diff)),
        redacted=True,
    )


def _redacted(
    change: Change, resource: ResolvedResource, known: _Known, hidden: set[str], ports: Ports
) -> Change:
    # A file's digest is that of a text with a secret in it, whatever the field is called.
    named = any((text or "").startswith("sha256:") for text in (change.current, change.desired))
    if change.field not in hidden and not named and not change.diff:
        return change
    desired = change.desired
    if change.field in hidden or named:
        desired = _desired(change, resource, ports)
    current = change.current
    if current is not None and current not in WORDS and (change.field in hidden or named):
        current = found_mark(current, ports)
    diff = tuple(known.line(line, number) for number, line in enumerate(change.diff))
    return msgspec.structs.replace(
        change, current=current, desired=desired, diff=diff, sensitive=True, redacted=True
    )


def _desired(change: Change, resource: ResolvedResource, ports: Ports) -> str | None:
    if change.desired is None or change.desired in WORDS:
        return change.desired
    written = resource.spec.get(change.field)
    if isinstance(written, str) and not change.desired.startswith("sha256:"):
        text = shown(written)
        if text != written and len(text) <= MAX_SHOWN and "\n" not in text:
            return text
    return _fingerprint(change.desired, ports)


def found_mark(text: str, ports: Ports) -> str:
    """Return a mark of what was found; it is never that of the same text where a module says it.

    Else a module that says guesses would learn from the host which of them is right.
    """
    return _fingerprint(f"found\0{text}", ports)


def _fingerprint(text: str, ports: Ports) -> str:
    return f"hmac:{ports.fingerprint(text.encode())[:16]}"


class _Known:
    """The lines that modules account for, and those of them that hold secrets, as patterns."""

    def __init__(self, resources: list[ResolvedResource]) -> None:
        self._plain: set[str] = set()
        self._templates: dict[str, re.Pattern[str]] = {}
        for resource in resources:
            opaque = set(_opaque(resource))
            for field, value in resource.spec.items():
                if field not in opaque:
                    for text in _texts([value]):
                        self._learn(text)

    def _learn(self, text: str) -> None:
        for line in text.splitlines():
            if not any(references_in(line)):
                self._plain.add(line)
            elif len(self._templates) < MAX_TEMPLATES:
                parts = [
                    "(?:.*)" if isinstance(part, Reference) else re.escape(part)
                    for part in parts_of(line)
                ]
                self._templates.setdefault(shown(line), re.compile("".join(parts)))

    def line(self, line: str, number: int) -> str:
        """Return a line of a unified diff as it may be shown; `number` counts from 0."""
        # Only the first two name files: later, `--- x` is the line `-- x` taken out.
        if (number < 2 and line.startswith(("---", "+++"))) or line.startswith(("@@", "\\")):
            return line
        sign, text = line[:1], line[1:]
        if text in self._plain or not text.strip():
            return line
        for seen, pattern in self._templates.items():
            if pattern.fullmatch(text):
                return sign + (_another(seen) if sign == "-" else seen)
        return sign + HIDDEN


def _another(seen: str) -> str:
    return re.sub(r"\(secret (\S+) v[0-9]+\)", r"(secret \1, as it was)", seen)


def _texts(values: list[Json]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _texts(value)
        elif isinstance(value, dict):
            yield from _texts(list(value.values()))
