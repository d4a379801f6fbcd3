"""How the lock files are made."""

from __future__ import annotations

from devtools import locking


def test_both_locks_hold_hashes_and_no_addresses() -> None:
    """The runtime lock comes first and constrains the other; neither names an index."""
    runtime, dev = locking.commands("uv", ["--upgrade"])
    for command in (runtime, dev):
        assert {"--generate-hashes", "--no-emit-index-url", "--universal"} <= set(command)
        assert "--upgrade" in command
    assert runtime[-1] == "requirements.lock"
    assert dev[-1] == "requirements-dev.lock"
    assert dev[dev.index("--constraint") + 1] == runtime[-1]
