"""A mount is heard of, in whichever namespace the table belongs to."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import trio
import trio.testing

from agent import mounts


@pytest.mark.needs_root
async def test_a_mount_and_its_end_are_heard(tmp_path: Path) -> None:
    """In a namespace of the test's own, so that no mount of the machine is touched."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    script = f"echo; read l; mount -t tmpfs none {tmp_path}; read l; umount {tmp_path}; read l"
    heard: list[float] = []
    process = await trio.lowlevel.open_process(
        ["unshare", "--mount", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.receive_some(1)
    try:
        async with trio.open_nursery() as nursery:
            table = f"/proc/{process.pid}/mountinfo"
            nursery.start_soon(mounts.listen, lambda: heard.append(trio.current_time()), table)
            await trio.testing.wait_all_tasks_blocked(0.05)
            heard.clear()
            for count in (1, 2):
                await process.stdin.send_all(b"\n")
                with trio.fail_after(10):
                    while len(heard) < count:
                        await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
            await process.wait()


async def test_no_table_is_an_error(tmp_path: Path) -> None:
    """The caller tells it and comes back later."""
    with pytest.raises(FileNotFoundError):
        await mounts.listen(lambda: None, str(tmp_path / "none"))


def test_the_tables_are_the_kernels() -> None:
    """Both say that they have changed, which few files of /proc can."""
    for table in mounts.TABLES.values():
        assert Path(table).exists()
