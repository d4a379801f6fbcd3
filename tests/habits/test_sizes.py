"""Files and functions stay small enough to be read in one go."""

from __future__ import annotations

from tests.habits.allowed import LONG_FILES, LONG_FUNCTIONS
from tests.habits.tree import PRODUCT, SUPPORT, functions, python_files, text, tree

FILE_LINES = 400
FUNCTION_LINES = 60


def test_no_file_is_longer_than_the_limit() -> None:
    """A file has at most 400 lines, or an entry in the allow-list with its reason."""
    sizes = {name: len(text(name).splitlines()) for name in python_files(*PRODUCT, *SUPPORT)}
    long = {name: size for name, size in sizes.items() if size > FILE_LINES}
    assert {name: size for name, size in long.items() if name not in LONG_FILES} == {}
    assert set(LONG_FILES) <= set(long), "the allow-list names files that are short enough"


def test_no_function_is_longer_than_the_limit() -> None:
    """A function has at most 60 lines, or an entry in the allow-list with its reason."""
    long = {
        f"{name}::{qualified}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name in python_files(*PRODUCT, *SUPPORT)
        for qualified, node in functions(tree(name))
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    }
    assert {name: size for name, size in long.items() if name not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "the allow-list names functions that are short enough"
