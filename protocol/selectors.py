"""Tag selectors: which hosts a person means. Parsed and matched here, looked up elsewhere.

Clauses stand side by side, joined by spaces, and all must hold:
`key` · `!key` · `key=value` · `key!=value` · `key in (a,b)` · `*` alone means every host.
A tag that was set as a bare `key` has the value "true".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from protocol import ids
from protocol.errors import DecodeError, InvalidName

# A person types at most a few clauses; 64 keys of 63 with values of 128 fit 16 KiB.
MAX_SELECTOR = 4_096
MAX_CLAUSES = 64
_TOKEN = re.compile(r"(?P<space>[ \t]+)|(?P<mark>!=|[=!*(),])|(?P<word>[A-Za-z0-9._:@/+-]+)")

Test = Literal["present", "absent", "equals", "differs", "in"]


class Clause(msgspec.Struct, frozen=True):
    """One condition on one tag; `values` has one for `equals` and `differs`, more for `in`."""

    key: str
    test: Test
    values: tuple[str, ...] = ()

    def matches(self, tags: Mapping[str, str]) -> bool:
        """Say whether the condition holds; a host without the tag differs from every value."""
        value = tags.get(self.key)
        match self.test:
            case "present":
                return value is not None
            case "absent":
                return value is None
            case "equals" | "in":
                return value in self.values
            case "differs":
                return value not in self.values

    def __str__(self) -> str:
        match self.test:
            case "present":
                return self.key
            case "absent":
                return f"!{self.key}"
            case "equals":
                return f"{self.key}={self.values[0]}"
            case "differs":
                return f"{self.key}!={self.values[0]}"
            case "in":
                return f"{self.key} in ({','.join(self.values)})"


class Selector(msgspec.Struct, frozen=True):
    """Conditions that must all hold; none at all means every host. `str()` parses back to it."""

    clauses: tuple[Clause, ...]

    def matches(self, tags: Mapping[str, str]) -> bool:
        """Say whether a host with these tags is meant."""
        return all(clause.matches(tags) for clause in self.clauses)

    def __str__(self) -> str:
        return " ".join(map(str, self.clauses)) or "*"


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    at: int


def parse(text: str) -> Selector:
    """Return the selector that a text means.

    Raises:
        DecodeError: it is none; the text names the position (from 1) and what was expected.
    """
    if len(text) > MAX_SELECTOR:
        raise DecodeError(f"a selector has at most {MAX_SELECTOR} characters")
    tokens = _tokens(text)
    if tokens[0].kind == "end":
        raise DecodeError("selector is empty; write `*` for every host")
    if tokens[0].text == "*":
        if tokens[1].kind != "end":
            raise _wrong(tokens[1], "nothing after `*`")
        return Selector(())
    clauses: list[Clause] = []
    index = 0
    while tokens[index].kind != "end":
        clause, index = _clause(tokens, index)
        clauses.append(clause)
        if len(clauses) > MAX_CLAUSES:
            raise DecodeError(f"a selector has at most {MAX_CLAUSES} clauses")
    return Selector(tuple(clauses))


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise DecodeError(f"selector, position {at + 1}: {text[at]!r} is not allowed here")
        if found.lastgroup != "space":
            tokens.append(_Token(found.lastgroup or "", found.group(), at))
        at = found.end()
    # Two ends, so that one may always look at the token after the next.
    return [*tokens, _Token("end", "", at), _Token("end", "", at)]


def _clause(tokens: list[_Token], index: int) -> tuple[Clause, int]:
    if tokens[index].text == "!":
        key = _key(tokens[index + 1])
        return Clause(key, "absent"), index + 2
    first = tokens[index]
    key = _key(first)
    after = tokens[index + 1]
    # `=` and `!=` belong to the key only without a space: `a !b` is two clauses, `a != b` none.
    touching = after.at == first.at + len(first.text)
    if touching and after.text == "=":
        value, index = _value(tokens, index + 2)
        return Clause(key, "equals", (value,)), index
    if touching and after.text == "!=":
        value, index = _value(tokens, index + 2)
        return Clause(key, "differs", (value,)), index
    if after.text == "in" and tokens[min(index + 2, len(tokens) - 1)].text == "(":
        return _membership(key, tokens, index + 3)
    return Clause(key, "present"), index + 1


def _membership(key: str, tokens: list[_Token], index: int) -> tuple[Clause, int]:
    values: list[str] = []
    while True:
        token = tokens[index]
        if token.kind != "word":
            raise _wrong(token, "a value")
        values.append(_checked(token))
        mark = tokens[index + 1]
        index += 2
        if mark.text == ")":
            return Clause(key, "in", tuple(values)), index
        if mark.text != ",":
            raise _wrong(mark, "`,` or `)`")


def _value(tokens: list[_Token], index: int) -> tuple[str, int]:
    token, before = tokens[index], tokens[index - 1]
    if token.kind == "word" and token.at == before.at + len(before.text):
        return _checked(token), index + 1
    # A tag may be empty, so `key=` alone asks for that.
    if token.kind == "end" or token.at > before.at + len(before.text):
        return "", index
    raise _wrong(token, "a value")


def _key(token: _Token) -> str:
    if token.kind != "word":
        raise _wrong(token, "a tag key")
    try:
        ids.check_tag(token.text, "")
    except InvalidName as error:
        raise DecodeError(f"selector, position {token.at + 1}: {error}") from error
    return token.text


def _checked(token: _Token) -> str:
    try:
        ids.check_tag("key", token.text)
    except InvalidName as error:
        raise DecodeError(f"selector, position {token.at + 1}: {error}") from error
    return token.text


def _wrong(token: _Token, expected: str) -> DecodeError:
    found = repr(token.text) if token.kind != "end" else "the end"
    return DecodeError(f"selector, position {token.at + 1}: expected {expected}, found {found}")
