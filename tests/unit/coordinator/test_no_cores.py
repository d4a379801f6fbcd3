"""The coordinator leaves no core file."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import ctypes, resource
from coordinator import no_cores
no_cores.forbid()
print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_its_memory_goes_into_no_core_file() -> None:
    """The limit is 0, and the kernel is told that the process is not to be dumped."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["0", "0"]
