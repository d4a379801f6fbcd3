"""Facts are what the host says of itself; what cannot be found out is left out."""

from __future__ import annotations

from pathlib import Path

from agent import facts


def test_the_facts_of_this_host_are_there() -> None:
    """The attributes that modules match on are strings, the details typed."""
    found = facts.collect()
    assert found.attributes["platform"] == "linux"
    assert found.attributes["arch"]
    memory = found.details["memory_total"]
    assert isinstance(memory, int)
    assert memory > 1_000_000
    assert isinstance(found.details["boot_time"], int)


def test_a_host_that_tells_nothing_has_few_facts(tmp_path: Path) -> None:
    """Missing files are no error."""
    found = facts.collect("web1", tmp_path)
    assert found.details["hostname"] == "web1"
    assert "memory_total" not in found.details
    assert "boot_time" not in found.details


def test_damaged_files_are_no_facts(tmp_path: Path) -> None:
    """A number that is none is left out."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_bytes(b"MemTotal: \xff kB\n")
    (tmp_path / "proc/stat").write_text("btime soon\n")
    assert facts.memory_total(tmp_path) is None
    assert facts.boot_time(tmp_path) is None
    (tmp_path / "proc/meminfo").write_text("MemTotal: 2 kB\n")
    assert facts.memory_total(tmp_path) == 2_048


def test_a_host_always_has_a_name() -> None:
    """The hello needs one."""
    assert facts.own_hostname()
