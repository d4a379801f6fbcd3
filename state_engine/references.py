"""References to secrets inside resolved texts: what stands where a value will be, and its reveal.

Everything that is kept or travels (resolved resources, snapshots, progress, digests) holds the
reference: name, version and a keyed fingerprint of the value. The value itself is put in for one
look or one act, in memory. Who may have which value is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from protocol.canonical import Json

# Private-use characters around it, which no configuration holds; and a module that wrote them all
# the same cannot know the fingerprint, which is made under a key that never leaves the host.
_OPEN, _CLOSE = "\uf5e0", "\uf5e1"
_PATTERN = re.compile(
    f"{_OPEN}(?P<name>[A-Za-z0-9._-]{{1,64}})@(?P<version>[0-9]{{1,16}}):(?P<mark>[0-9a-f]{{64}}){_CLOSE}"
)


class Reference(msgspec.Struct, frozen=True):
    """One version of one secret; `fingerprint` is a keyed hash of name, version and value."""

    name: str
    version: int
    fingerprint: str

    def __str__(self) -> str:
        """Return the text that stands for the value in a resolved specification."""
        return f"{_OPEN}{self.name}@{self.version}:{self.fingerprint}{_CLOSE}"

    @property
    def shown(self) -> str:
        """What people see in its place."""
        return f"(secret {self.name} v{self.version})"


class SecretValue(msgspec.Struct, frozen=True):
    """A secret opened in memory, with the reference that is kept in its place."""

    reference: Reference
    value: str

    def __repr__(self) -> str:
        return f"SecretValue({self.reference.shown})"


class Unavailable(msgspec.Struct, frozen=True):
    """Why a secret that a module names cannot be had on this host, and what helps."""

    message: str
    hint: str | None = None


def fingerprinted(name: str, version: int, value: str) -> bytes:
    """Return the bytes whose keyed hash is a reference's fingerprint."""
    return b"standfast/secret/v1\0%b\0%d\0%b" % (name.encode(), version, value.encode())


def references_in(value: Json) -> Iterator[Reference]:
    """Return the references in a value and its nested values, as often as they stand there."""
    if isinstance(value, str):
        for match in _PATTERN.finditer(value):
            yield _reference(match)
    elif isinstance(value, list):
        for item in value:
            yield from references_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from references_in(item)


def replaced(value: Json, by: Callable[[Reference], str]) -> Json:
    """Return a value with each reference in it and in its nested values replaced."""
    if isinstance(value, str):
        return replaced_text(value, by) if _OPEN in value else value
    if isinstance(value, list):
        return [replaced(item, by) for item in value]
    if isinstance(value, dict):
        return {key: replaced(item, by) for key, item in value.items()}
    return value


def replaced_text(text: str, by: Callable[[Reference], str]) -> str:
    """Return a text with each reference in it replaced."""
    return _PATTERN.sub(lambda match: by(_reference(match)), text)


def shown(text: str) -> str:
    """Return a text as people may see it: the names of secrets in place of their references."""
    return replaced_text(text, lambda reference: reference.shown)


def parts_of(text: str) -> list[str | Reference]:
    """Return the literal pieces and the references of a text, in order."""
    parts: list[str | Reference] = []
    position = 0
    for match in _PATTERN.finditer(text):
        parts += [text[position : match.start()], _reference(match)]
        position = match.end()
    parts.append(text[position:])
    return parts


def _reference(match: re.Match[str]) -> Reference:
    return Reference(match["name"], int(match["version"]), match["mark"])
