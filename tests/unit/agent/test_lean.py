"""Memory that nothing needs goes back to the kernel, and where that cannot be nothing breaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agent import lean

ROOT = Path(__file__).resolve().parents[3]
# 64 MiB in pieces too small to be mapped one by one, the last of which keeps the heap from ending.
PROGRAM = """
from agent import lean
def anonymous():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))
lean.use_one_arena()
pieces = [bytes(4096) for _ in range(16384)]
last = bytes(4096)
del pieces
before = anonymous()
lean.give_back()
print(before - anonymous())
"""


def test_freed_memory_goes_back_to_the_kernel() -> None:
    """A process of its own, for what others of this one have freed says nothing."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) >= 32_768, "KiB of 65,536"


def test_another_c_library_is_no_obstacle() -> None:
    """The calls are glibc's own."""

    def bare() -> lean._Libc:
        raise AttributeError("mallopt")

    lean.use_one_arena(bare)
    lean.give_back(bare)
