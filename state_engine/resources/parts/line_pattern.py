r"""Patterns that find lines: regular expressions whose matching time is bounded by design.

A user of a host can write to many files that modules look at, and a backtracking matcher can be
kept busy for hours by one line. This one follows all ways at once: its time grows with the length
of the text, whatever the pattern. It answers yes or no and knows no groups' contents. The language
is the common part of what people know: `.`, `[a-z]`, `[^x]`, `\d \w \s \b` and their opposites,
`(...)`, `(?:...)`, `|`, `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`, `^`, `$`, and `(?i)` at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

MAX_PATTERN = 200
# 500 instructions: one character of text costs at most about 0.1 ms where nothing is remembered.
MAX_PROGRAM = 500
MAX_REPEAT = 100
MAX_NESTING = 20
# Each remembered step is below 1 KB for common patterns: 8,192 are a few megabytes at most.
MAX_MEMORY = 8_192

_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "w": lambda char: char.isalnum() or char == "_",
    "s": str.isspace,
}


class PatternError(ValueError):
    """The pattern is not one; the message says why."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set; without `parts` and negated it is any character."""

    parts: tuple[tuple[str, str], ...] = ()
    classes: tuple[str, ...] = ()
    negated: bool = False

    def holds(self, char: str) -> bool:
        """Say whether a character belongs to the set."""
        inside = any(low <= char <= high for low, high in self.parts)
        inside = inside or any(_in_class(name, char) for name in self.classes)
        return inside is not self.negated


@dataclass(frozen=True, slots=True)
class At:
    """A place: `^`, `$`, `b` between a word and no word, or `B`."""

    what: str


@dataclass(frozen=True, slots=True)
class Split:
    """Two ways to go on, as distances from here."""

    one: int
    two: int


Instruction = Chars | At | Split
# Where all ways stand before a character, and what came before it: "" (the start), "w" or "-".
_State = tuple[frozenset[int], str]


def compiled(pattern: str) -> LinePattern:
    """Return the pattern, ready to match.

    Raises:
        PatternError: it is too long, or not in the language above.
    """
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"it is longer than {MAX_PATTERN} characters")
    return _compiled(pattern)


@lru_cache(maxsize=128)
def _compiled(pattern: str) -> LinePattern:
    caseless = pattern.startswith("(?i)")
    program = _Parser(pattern[4:] if caseless else pattern).program()
    return LinePattern(program, caseless=caseless)


class LinePattern:
    """A pattern that a line holds somewhere, or does not."""

    def __init__(self, program: list[Instruction], *, caseless: bool) -> None:
        self._program = program
        self._caseless = caseless
        self._known: dict[tuple[_State, str], _State | bool] = {}

    def found_in(self, line: str) -> bool:
        """Say whether the pattern matches anywhere in a text that is one line."""
        state: _State = (frozenset(), "")
        known = self._known
        for char in (*line, ""):
            key = (state, char)
            step = known.get(key)
            if step is None:
                if len(known) >= MAX_MEMORY:
                    known.clear()
                step = known[key] = self._step(state, char)
            if isinstance(step, bool):
                return step
            state = step
        return False

    def _step(self, state: _State, char: str) -> _State | bool:
        """Return the state after a character; True if it is found, False at the end."""
        waiting, before = state
        after = _sort(char)
        program = self._program
        seen: set[int] = set()
        stack = [0, *waiting]
        following: set[int] = set()
        while stack:
            here = stack.pop()
            if here in seen:
                continue
            seen.add(here)
            if here == len(program):
                return True
            match program[here]:
                case Split() as split:
                    stack += (here + split.one, here + split.two)
                case At() as place:
                    if _is_at(place.what, before, after):
                        stack.append(here + 1)
                case chars:
                    if char and self._holds(chars, char):
                        following.add(here + 1)
        return (frozenset(following), after) if char else False

    def _holds(self, chars: Chars, char: str) -> bool:
        if not self._caseless:
            return chars.holds(char)
        # A negated set holds a letter only if it holds it in both cases.
        both = (chars.holds(char.lower()[:1]), chars.holds(char.upper()[:1]))
        return all(both) if chars.negated else any(both)


def _sort(char: str) -> str:
    if not char:
        return ""
    return "w" if _CLASSES["w"](char) else "-"


def _is_at(what: str, before: str, after: str) -> bool:
    match what:
        case "^":
            return not before
        case "$":
            return not after
        case "b":
            return (before == "w") != (after == "w")
        case _:
            return (before == "w") == (after == "w")


def _in_class(name: str, char: str) -> bool:
    return _CLASSES[name.lower()](char) is not name.isupper()


class _Parser:
    """Reads a pattern into a program; pieces are programs that end by falling out of their end."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._here = 0
        self._depth = 0

    def program(self) -> list[Instruction]:
        piece = self._alternatives()
        if self._here < len(self._pattern):
            raise PatternError("a `)` has no `(` before it")
        return piece

    def _peek(self) -> str:
        return self._pattern[self._here : self._here + 1]

    def _next(self) -> str:
        char = self._peek()
        self._here += 1
        return char

    def _skip(self, text: str) -> bool:
        found = self._pattern.startswith(text, self._here)
        self._here += len(text) if found else 0
        return found

    def _alternatives(self) -> list[Instruction]:
        piece = self._sequence()
        while self._skip("|"):
            other = self._sequence()
            # A jump over the other way: both branches of the split lead to the same place.
            over = len(other) + 1
            piece = _bounded([Split(1, len(piece) + 2), *piece, Split(over, over), *other])
        return piece

    def _sequence(self) -> list[Instruction]:
        piece: list[Instruction] = []
        while self._peek() not in {"", "|", ")"}:
            piece = _bounded(piece + self._repeated(self._atom()))
        return piece

    def _repeated(self, piece: list[Instruction]) -> list[Instruction]:
        char = self._peek()
        if char not in {"*", "+", "?", "{"}:
            return piece
        self._here += 1
        low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(char) or self._counts()
        self._skip("?")  # greedy or not is the same to a yes or no
        if self._peek() in {"*", "+", "?", "{"}:
            raise PatternError("a repetition is repeated; put it in `( )`")
        size = len(piece)
        if (low + (high or 1)) * (size + 2) > 2 * MAX_PROGRAM:
            raise PatternError("it is too large with its repetitions written out")
        result = piece * low
        if high is None:
            return _bounded([*result, Split(1, size + 2), *piece, Split(-size - 1, -size - 1)])
        for _ in range(high - low):
            result = [*result, Split(1, size + 1), *piece]
        return _bounded(result)

    def _counts(self) -> tuple[int, int | None]:
        text, closed, _ = self._pattern[self._here :].partition("}")
        low, comma, high = text.partition(",")
        fine = closed and _is_number(low) and (not high or _is_number(high))
        if not fine or (comma and high and int(high) < int(low)):
            raise PatternError("`{` starts a count such as {2} or {2,5}; write `\\{` for the sign")
        self._here += len(text) + 1
        if max(int(low), int(high or 0)) > MAX_REPEAT:
            raise PatternError(f"a count is larger than {MAX_REPEAT}")
        if not comma:
            return int(low), int(low)
        return int(low), int(high) if high else None

    def _atom(self) -> list[Instruction]:
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return [self._set()]
            case ".":
                return [Chars(negated=True)]
            case "^" | "$":
                return [At(char)]
            case "\\":
                return [self._escaped()]
            case "*" | "+" | "?" | "{":
                raise PatternError(f"there is nothing that `{char}` could repeat")
            case _:
                return [Chars(((char, char),))]

    def _group(self) -> list[Instruction]:
        if self._peek() == "?" and not self._skip("?:"):
            raise PatternError("of the groups with `(?` only `(?:` is known")
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise PatternError(f"groups are nested deeper than {MAX_NESTING}")
        piece = self._alternatives()
        if not self._skip(")"):
            raise PatternError("a `(` is not closed")
        self._depth -= 1
        return piece

    def _escaped(self) -> Instruction:
        char = self._next()
        if char in {"b", "B"}:
            return At(char)
        if char and char in "dDwWsS":
            return Chars(classes=(char,))
        literal = _literal(char)
        return Chars(((literal, literal),))

    def _set(self) -> Chars:
        negated = self._skip("^")
        parts: list[tuple[str, str]] = []
        classes: list[str] = []
        first = True
        while first or self._peek() != "]":
            first = False
            low = self._member()
            if low in _NAMES:
                classes.append(low[1])
                continue
            high = low
            if self._peek() == "-" and self._pattern[self._here + 1 : self._here + 2] != "]":
                self._here += 1
                high = self._member()
            if high in _NAMES or high < low:
                raise PatternError(f"`{low}-{high}` is not a range of characters")
            parts.append((low, high))
        self._here += 1
        return Chars(tuple(parts), tuple(classes), negated)

    def _member(self) -> str:
        char = self._next()
        if not char:
            raise PatternError("a `[` is not closed")
        if char != "\\":
            return char
        escaped = self._next()
        return char + escaped if escaped and escaped in "dDwWsS" else _literal(escaped)


_NAMES = frozenset("\\" + name for name in "dDwWsS")


def _literal(char: str) -> str:
    if char == "t":
        return "\t"
    if not char or (char.isascii() and char.isalnum()):
        raise PatternError(f"`\\{char}` is not known here")
    return char


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


def _bounded(piece: list[Instruction]) -> list[Instruction]:
    if len(piece) > MAX_PROGRAM:
        raise PatternError("it is too large with its repetitions written out")
    return piece
