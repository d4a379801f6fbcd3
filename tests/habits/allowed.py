"""The exceptions from the habits, each with its reason. An entry that is no longer needed fails.

Keys are paths from the root, `path::Class.function` for functions, or shell patterns for TESTS.
"""

from __future__ import annotations

# Files of more than 400 lines.
LONG_FILES: dict[str, str] = {}

# Functions of more than 60 lines.
LONG_FUNCTIONS: dict[str, str] = {
    "coordinator/store/migrations/versions/v0001_first.py::upgrade": (
        "one list of tables from end to end, with no branch; a migration is never edited again"
    ),
}

# Handlers that catch everything and do not raise it again.
BROAD_HANDLERS: dict[str, str] = {
    "agent/guarding.py::Guard.settle": "a switch that stays undecided would bar all later changes",
    "agent/services/drift.py::_Service._repair": "a repair that fails must not end the agent",
    "agent/services/drift.py::_Service._found": "a look that always fails must not end the agent",
    "agent/steps.py::Steps._do_or_report": "a step that always fails must not end the agent",
    "coordinator/store/database.py::Store._commit": "each caller raises it where it waits",
    "coordinator/store/database.py::Store._look": "the caller raises it where it waits",
    "coordinator/store/database.py::Store._one": "the caller raises it where it waits",
}

# Source files without a mirrored test file.
UNTESTED_FILES: dict[str, str] = {
    "coordinator/store/migrations/*": "the store's contract suite migrates an empty database",
    "devtools/local_fleet.py": "starts real processes: `dev up` and tests/integration run it whole",
    "devtools/reference.py": "tests/habits/test_documented.py holds every page against it",
    "devtools/up.py": "is one process from start to end: tests/integration runs it whole",
}

# Test files of tests/unit without a source file of that name.
SOURCELESS_TESTS: dict[str, str] = {}

# Functions of tests that may sleep: the one place that waits on a condition with a deadline.
SLEEPERS: dict[str, str] = {
    "tests/fakes/agent_process.py::until": "another process can only be looked at",
    "tests/fakes/booted.py::_wait_for_boot": "a system that boots can only be looked at",
}
