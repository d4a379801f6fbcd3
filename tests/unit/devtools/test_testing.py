"""How pytest is started."""

from __future__ import annotations

import sys

from devtools import testing


def test_arguments_go_to_pytest_as_they_are() -> None:
    """With arguments nothing is added; without, all tests run on two workers."""
    start = [sys.executable, "-m", "pytest"]
    assert testing.pytest_command(["-k", "x"]) == [*start, "-k", "x"]
    assert testing.pytest_command([]) == [*start, *testing.PARALLEL]


def test_missing_programs_name_their_packages_once() -> None:
    """What is not there is named by the package that brings it."""
    assert testing.missing_packages(lambda _: "/usr/bin/it") == []
    assert testing.missing_packages(lambda _: None) == sorted(set(testing.NEEDED.values()))


def test_no_setting_of_ours_leaks_into_the_tests() -> None:
    """An operator's own STANDFAST_ variables change no test."""
    assert testing.test_environment({"STANDFAST_URL": "x", "HOME": "/h"}) == {"HOME": "/h"}
