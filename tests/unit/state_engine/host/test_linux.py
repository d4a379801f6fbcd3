"""The ports of this host."""

from __future__ import annotations

from pathlib import Path

from state_engine.host.linux import LinuxPorts
from state_engine.host.stat_cache import StatCache
from state_engine.ports import ProgramCall


def clock_42() -> float:
    return 42.0


def test_what_is_handed_in_is_used(tmp_path: Path) -> None:
    """Clock, cache, cancel function and key are the caller's."""
    cache = StatCache()
    ports = LinuxPorts(tmp_path, b"k" * 32, clock=clock_42, cancelled=lambda: True, cache=cache)
    assert ports.clock is clock_42
    assert ports.files.cache is cache
    assert ports.programs.run(ProgramCall(("/bin/sleep", "1000"))).exit == 143
    assert ports.fingerprint(b"x") != LinuxPorts(tmp_path, b"j" * 32).fingerprint(b"x")


def test_copies_live_below_the_state_directory(tmp_path: Path) -> None:
    """And nothing else is made there before it is needed."""
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    assert not (tmp_path / "state").exists()
    (tmp_path / "f").write_bytes(b"x")
    digest = ports.backups.keep(str(tmp_path / "f"))
    assert (tmp_path / "state" / "backups" / digest).is_file()
