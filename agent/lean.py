"""Giving memory back that a start or a step has used and nothing needs any more. Linux with glibc.

Elsewhere the calls do not exist, and an agent is then merely a little bigger.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Protocol, cast

# mallopt(3): at most this many arenas. The worker thread would else get one of its own, whose
# freed memory is seldom given back; both threads seldom allocate at the same moment.
_M_ARENA_MAX = -8


class _Libc(Protocol):
    def mallopt(self, parameter: int, value: int) -> int: ...
    def malloc_trim(self, pad: int) -> int: ...


def _libc() -> _Libc:
    # A CDLL looks functions up by name, which no type describes.
    return cast("_Libc", ctypes.CDLL(None))


def use_one_arena(library: Callable[[], _Libc] = _libc) -> None:
    """Let all threads share one arena; call it before the first thread starts."""
    try:
        library().mallopt(_M_ARENA_MAX, 1)
    except AttributeError:
        return


def give_back(library: Callable[[], _Libc] = _libc) -> None:
    """Collect garbage and give free memory back to the kernel: a few milliseconds."""
    gc.collect()
    try:
        library().malloc_trim(0)
    except AttributeError:
        return
