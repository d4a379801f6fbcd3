"""The kind swap with a real swap file of a few pages, which is gone when the test ends."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.steps import Outcome, carry_out
from state_engine.host.linux import LinuxPorts
from state_engine.ports import PortError
from state_engine.resources.contract import Context, Difference
from state_engine.resources.swap import Swap
from tests.fakes import namespaces

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]

OTHERS = "# theirs\nUUID=1234\t/\text4\tdefaults\t0\t1\n"


class Host:
    """An fstab below `folder`, and the kernel's one table of swap."""

    def __init__(self, folder: Path) -> None:
        self.fstab = folder / "etc/fstab"
        self.fstab.parent.mkdir()
        self.fstab.write_text(OTHERS, encoding="utf-8")
        (folder / "proc").symlink_to("/proc")
        self.path = folder / "swap file"
        self.ports = LinuxPorts(folder / "state", b"k" * 32)
        self.kind = Swap(f"{folder}/")

    def judged(self, **spec: Json) -> Difference:
        spec = {"path": str(self.path), **spec}
        assert self.kind.validate(spec) == []
        found = self.kind.observe(spec, self.ports, verify=True)
        return self.kind.compare(spec, found, Context())

    def apply(self, **spec: Json) -> None:
        difference = self.judged(**spec)
        assert difference.action not in {"error", "none"}, difference
        carry_out(difference.steps, self.ports, Outcome())
        assert self.judged(**spec).action == "none"

    def active(self) -> str | None:
        name = str(self.path).replace(" ", "\\040")
        lines = Path("/proc/swaps").read_text(encoding="utf-8").splitlines()
        return next((line.split()[-1] for line in lines if line.split()[0] == name), None)


@pytest.fixture
def host(tmp_path: Path) -> Generator[Host, None, None]:
    reason = namespaces.missing("mkswap", "swapon", "fallocate")
    if reason is not None:
        pytest.skip(reason)
    host = Host(tmp_path)
    if host.judged(size="64K").action == "error":
        pytest.skip("needs a file system that can hold swap files")
    try:
        yield host
    finally:
        if host.active() is not None:
            subprocess.run(["swapoff", "--", str(host.path)], check=True)


def test_a_swap_file_is_made_grows_and_goes(host: Host) -> None:
    """Readable by root only from the first moment; its priority is as wished; fstab tells it."""
    try:
        host.apply(size="64K", priority=7)
    except PortError as error:
        if "Operation not permitted" in str(error):
            pytest.skip("needs the right to swap")
        raise
    assert host.active() == "7"
    stat = host.path.stat()
    assert (stat.st_mode & 0o7777, stat.st_size) == (0o600, 65_536)
    assert "swap\\040file\tnone\tswap\tsw,pri=7\t0\t0" in host.fstab.read_text(encoding="utf-8")
    host.apply(size="128K", priority=3)
    assert (host.active(), host.path.stat().st_size) == ("3", 131_072)
    host.path.chmod(0o644)
    assert [change.field for change in host.judged(size="128K", priority=3).changes] == ["mode"]
    host.apply(ensure="absent")
    assert (host.active(), host.path.exists()) == (None, False)
    assert host.fstab.read_text(encoding="utf-8") == OTHERS


def test_somebodys_file_is_neither_turned_into_swap_nor_deleted(host: Host) -> None:
    host.path.write_text("precious", encoding="utf-8")
    for spec in ({"size": "64K"}, {"ensure": "absent"}):
        difference = host.judged(**spec)
        assert difference.action == "error"
        assert "other data" in (difference.message or "")
    assert host.path.read_text(encoding="utf-8") == "precious"
