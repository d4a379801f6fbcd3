"""No core dumps of the agent: its memory holds opened secrets and the host's keys."""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4


def forbid() -> None:
    """Keep this process out of core files, and other processes of its user out of its memory.

    Programs that it starts are not bound by it: each begins with the limits of its own.
    """
    # Only the soft limit is lowered: a service that a script starts may want its cores.
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    # It also takes /proc/PID/mem from all but root; a kernel that refuses it leaves the limit.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
