"""Collects the problems of one file: their places, their cap, and the nearest right word.

What counts as a problem is decided by the modules that look; nothing here knows the language.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from itertools import islice

from state_engine.model import Problem, Severity

# More than a person reads at once; it also bounds the work that a hostile file can ask for.
MAX_PROBLEMS = 100
# difflib is quadratic in the length of the words and linear in their number: 64 * 64 * 500 steps
# for each of at most 100 problems stays well under a second.
MAX_WORD = 64
MAX_CHOICES = 500
# A quoted piece of the file in a message is cut after this many characters.
MAX_QUOTE = 60

Place = tuple[int, int]


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that was most likely meant by a mistyped word, or None."""
    if len(word) > MAX_WORD:
        return None
    known = {choice.lower(): choice for choice in islice(choices, MAX_CHOICES)}
    found = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def quote(text: str) -> str:
    """Return a piece of the file fit for a message: on one line, in backquotes, and cut if long."""
    plain = "".join(char if char.isprintable() else "?" for char in text[: MAX_QUOTE + 1])
    return f"`{plain[:MAX_QUOTE]}…`" if len(plain) > MAX_QUOTE else f"`{plain}`"


def one_of(choices: Iterable[str]) -> str:
    """Return a readable list of the right words: `a, b, c`."""
    return ", ".join(choices)


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer (RFC 6901) of a value inside the file."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


class Findings:
    """The problems found in one file; holds at most `MAX_PROBLEMS` and says when there are more."""

    def __init__(self, file: str, places: Mapping[str, Place] | None = None) -> None:
        self.file = file
        # Not asked whether it is empty: it may have to be found first.
        self.places: Mapping[str, Place] = {} if places is None else places
        self._problems: list[Problem] = []
        self._overflow = False
        self._seen: set[tuple[Place, str, str]] = set()
        self._reported = 0

    def add(
        self,
        place: Place | str,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        severity: Severity = "error",
        suggest: tuple[str, Iterable[str]] | None = None,
    ) -> None:
        """Add a problem at a (line, column) or at a JSON pointer.

        `suggest` is a wrong word and the right ones; the nearest becomes the hint "did you mean".
        The same problem at the same place (of each resource of a `for_each`) is kept once.
        """
        self._reported += 1
        line, column = self.locate(place) if isinstance(place, str) else place
        known = ((line, column), code, message)
        if known in self._seen:
            return
        if len(self._problems) >= MAX_PROBLEMS:
            self._overflow = True
            return
        self._seen.add(known)
        if suggest is not None and (near := nearest(*suggest)) is not None:
            hint = f"did you mean `{near}`?"
        self._problems.append(
            Problem(
                file=self.file,
                line=line,
                column=column,
                message=message,
                severity=severity,
                hint=hint,
                code=code,
            )
        )

    def locate(self, path: str) -> Place:
        """Return the place of a JSON pointer, or of the nearest thing around it that has one."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition("/")[0]
        return (1, 1)

    @property
    def failed(self) -> bool:
        """Whether an error (not only warnings) was found."""
        return any(problem.severity == "error" for problem in self._problems)

    def __len__(self) -> int:
        """Return how often a problem was reported, repeated and left out ones included."""
        return self._reported

    def sorted(self) -> list[Problem]:
        """Return the problems in the order of the file, with a last line if some were left off."""
        found = sorted(self._problems, key=lambda problem: (problem.line, problem.column))
        if self._overflow:
            message = f"more than {MAX_PROBLEMS} problems; the others are not shown"
            found.append(Problem(self.file, found[-1].line, message, code="too-many-problems"))
        return found


def has_errors(problems: Iterable[Problem]) -> bool:
    """Say whether a list of problems holds an error, not only warnings."""
    return any(problem.severity == "error" for problem in problems)
