"""How the commands print problems: for people on one line each, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from protocol.canonical import Json
from state_engine.model import Problem


def echo_json(value: Json) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def problems_json(problems: Sequence[Problem]) -> list[Json]:
    """Return problems as JSON objects; every key is always there."""
    return [
        {
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "severity": problem.severity,
            "code": problem.code,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]


def echo_problems(problems: Sequence[Problem], *, err: bool = False) -> None:
    """Print problems one a line, `file:line:column: severity: message (hint)`."""
    for problem in problems:
        click.echo(clean(str(problem)), err=err)


def clean(text: str) -> str:
    """Return text in which control characters are spelled out: none may drive a terminal."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\t" else _spelled(character)
        for character in text
    )


def _spelled(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 error`, `2 errors`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def summary(files: int, problems: Sequence[Problem]) -> str:
    """Return the last line of a check: how many files, errors and warnings."""
    errors = sum(problem.severity == "error" for problem in problems)
    return ", ".join(
        (
            count(files, "file"),
            count(errors, "error"),
            count(len(problems) - errors, "warning"),
        )
    )
