"""A thread in namespaces of its own: its network and its mounts are nobody else's.

They end with the thread, so nothing of them is left behind and the machine is not touched. Programs
that the thread starts are in them too.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")
_NEWNS, _NEWNET = 0x00020000, 0x40000000
# A test that hangs in there is shown by the time limit of the test itself.
DEADLINE = 110.0


def inside(work: Callable[[], _Result]) -> _Result:
    """Return what `work` returns, done in a network and a mount namespace of its own."""
    results: list[_Result] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            _leave()
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the test's thread
            errors.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(DEADLINE)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError("the work in the namespaces did not end")
    return results[0]


@functools.cache
def missing(*programs: str) -> str | None:
    """Return why nothing can be done in namespaces here, or None; `programs` are needed too."""
    if os.geteuid() != 0:
        return "needs root"
    lacking = [program for program in programs if shutil.which(program) is None]
    if lacking:
        return f"needs {', '.join(lacking)}"
    try:
        inside(lambda: None)
    except OSError as error:
        return f"needs namespaces: {error}"
    return None


def run(*argv: str, text: str | None = None) -> str:
    """Run a program that has to succeed; return what it prints."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


def _leave() -> None:
    system = ctypes.CDLL(None, use_errno=True)
    if system.unshare(_NEWNS | _NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot make namespaces")
    run("mount", "--make-rprivate", "/")
