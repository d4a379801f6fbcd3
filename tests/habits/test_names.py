"""A file is found by the name of what it does, and by the path of its test."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import PurePosixPath

from tests.habits.allowed import SOURCELESS_TESTS, UNTESTED_FILES
from tests.habits.tree import PRODUCT, SUPPORT, python_files

# Names under which anything could lie, so that in the end everything does.
FORBIDDEN = {"common", "helper", "helpers", "misc", "util", "utils"}


def test_no_module_has_a_name_that_says_nothing() -> None:
    """No file or folder is called utils, helpers, common or misc."""
    bad = [
        name
        for name in python_files(*PRODUCT, *SUPPORT)
        if FORBIDDEN.intersection(PurePosixPath(name).with_suffix("").parts)
        or any(PurePosixPath(name).stem.endswith(f"_{word}") for word in FORBIDDEN)
    ]
    assert bad == []


def mirrored(source: str) -> str:
    """Returns the path of a source file's test file."""
    path = PurePosixPath(source)
    return str(PurePosixPath("tests/unit", path.parent, f"test_{path.name}"))


def test_every_source_file_has_its_test_file() -> None:
    """`pkg/a/b.py` is tested by `tests/unit/pkg/a/test_b.py`."""
    tests = set(python_files("tests"))
    lacking = [
        source
        for source in python_files(*PRODUCT, "devtools")
        if not source.endswith("/__init__.py")
        and mirrored(source) not in tests
        and not any(fnmatch(source, pattern) for pattern in UNTESTED_FILES)
    ]
    assert [f"{source} lacks {mirrored(source)}" for source in lacking] == []


def test_every_unit_test_file_has_its_source_file() -> None:
    """A test file whose source was moved or removed goes with it."""
    wanted = {mirrored(source) for source in python_files(*PRODUCT, "devtools")}
    orphans = [
        name
        for name in python_files("tests/unit")
        if PurePosixPath(name).name.startswith("test_")
        and name not in wanted
        and name not in SOURCELESS_TESTS
    ]
    assert orphans == []
