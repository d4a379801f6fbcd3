"""`./dev mutate` tries the code that decides, with tests that exist."""

from __future__ import annotations

import subprocess
import sys

import pytest

from devtools import mutating
from protocol import windows


def test_every_file_and_every_test_is_there() -> None:
    """A file that was renamed would be tried no more, unseen."""
    for name in (*mutating.FILES, *mutating.TESTS):
        assert (mutating.ROOT / name).is_file(), name


def test_functions_are_found_by_their_qualified_names() -> None:
    """Those of a module and of its classes, not those it imported."""
    found = dict(mutating.functions_of(windows))
    assert found["parse"] is windows.parse
    assert found["Window.holds"] is windows.Window.holds
    assert mutating.module_of("protocol/windows.py") == "protocol.windows"


@pytest.mark.slow
@pytest.mark.hostile
@pytest.mark.timeout(900)
def test_no_fault_in_the_code_that_decides_goes_unnoticed() -> None:
    """Every small fault makes a test fail, and the tests take every branch of this code."""
    command = [sys.executable, "-m", "devtools.mutating"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=mutating.ROOT)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
