"""Nothing is swallowed, and a status number means the same everywhere."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.habits.allowed import BROAD_HANDLERS
from tests.habits.tree import PRODUCT, dotted, enclosing, python_files, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYTHING = {"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"}
PROBLEMS = "coordinator/api/problems.py"


def broad_handlers(module: ast.AST) -> Iterator[int]:
    """Yields the lines of handlers that catch everything and do not end by raising it again."""
    for node in ast.walk(module):
        if not isinstance(node, ast.ExceptHandler):
            continue
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(kind is None or dotted(kind) in EVERYTHING for kind in kinds)
        last = node.body[-1]
        if broad and not (isinstance(last, ast.Raise) and last.exc is None):
            yield node.lineno


def test_only_listed_handlers_catch_everything() -> None:
    """An exception that nobody expected reaches the top, or a place that says why it does not."""
    places = {
        f"{name}::{enclosing(name, line)}": line
        for name in python_files(*PRODUCT, "devtools")
        for line in broad_handlers(tree(name))
    }
    assert {place: line for place, line in places.items() if place not in BROAD_HANDLERS} == {}
    assert set(BROAD_HANDLERS) <= set(places), "the allow-list names handlers that are gone"


def status_numbers(module: ast.AST, *, every: bool) -> Iterator[int]:
    """Yields the lines with a number of 400 to 599: every one, or only those called a status."""
    for node in ast.walk(module):
        if every and is_status(node):
            yield node.lineno
        named = isinstance(node, ast.keyword) and "status" in (node.arg or "")
        if not every and named and is_status(node.value):
            yield node.value.lineno
        if not every and isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any("status" in dotted(side) for side in sides) and any(map(is_status, sides)):
                yield node.lineno


def is_status(node: ast.AST) -> bool:
    """Says whether a node is a whole number from 400 to 599."""
    return (
        isinstance(node, ast.Constant) and type(node.value) is int and node.value in range(400, 600)
    )


def test_error_statuses_stand_in_one_file() -> None:
    """Which outcome has which 4xx or 5xx is answered by problems.py alone."""
    places = [
        f"{name}:{line}"
        for name in python_files("coordinator")
        if name != PROBLEMS
        for line in status_numbers(tree(name), every=name.startswith("coordinator/api/"))
    ]
    assert places == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("try:\n    a()\nexcept Exception:\n    pass", 1),
        ("try:\n    a()\nexcept:\n    pass", 1),
        ("try:\n    a()\nexcept (OSError, BaseException) as e:\n    b()", 1),
        ("try:\n    a()\nexcept BaseException:\n    b()\n    raise", 0),
        ("try:\n    a()\nexcept OSError:\n    pass", 0),
    ],
)
def test_broad_handlers_are_found(source: str, count: int) -> None:
    """A planted fault is found, and its lawful neighbour is not."""
    assert len(list(broad_handlers(ast.parse(source)))) == count


@pytest.mark.parametrize(
    ("source", "every", "count"),
    [
        ("Response(status_code=404)", False, 1),
        ("if answer.status == 409: pass", False, 1),
        ("LIMIT = 500", False, 0),
        ("LIMIT = 500", True, 1),
        ("Response(status_code=202)", True, 0),
    ],
)
def test_status_numbers_are_found(source: str, every: bool, count: int) -> None:
    """A planted fault is found, and its lawful neighbour is not."""
    assert len(list(status_numbers(ast.parse(source), every=every))) == count
