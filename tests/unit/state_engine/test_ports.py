"""The door between pure code and a host; what it promises is in `tests/contract/test_ports.py`."""

from __future__ import annotations

from pathlib import Path

from state_engine.host.linux import LinuxPorts
from state_engine.ports import PortError, Ports, ProgramCall
from tests.fakes.ports import FakePorts


def test_the_fake_and_the_real_ports_are_ports(tmp_path: Path) -> None:
    """To the type checker, which is where a missing method shows first."""
    ports: list[Ports] = [FakePorts(), LinuxPorts(tmp_path, b"k" * 32)]
    assert all(port.files.stat("/no/such/path/here") is None for port in ports)


def test_an_error_carries_the_code_of_the_system() -> None:
    """Empty where there is none."""
    assert PortError("full", "ENOSPC").code == "ENOSPC"
    assert not PortError("odd").code


def test_a_program_call_is_bounded_unless_told_otherwise() -> None:
    """Ten minutes and one MiB of each stream."""
    call = ProgramCall(("/bin/true",))
    assert (call.timeout, call.keep, call.stdin, call.script) == (600.0, 2**20, b"", None)
