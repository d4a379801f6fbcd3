"""A change is joined with whoever made it, as long as that says something about the present."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from agent.drift_account import Evidence
from agent.fanotify import Fanotify
from agent.inotify import Inotify
from agent.watching import Watches
from agent.witness import Witness
from protocol.reports import Author
from state_engine.model import ResourceKey

A = ResourceKey("m", "file-unix", "/a")
B = ResourceKey("m", "file-unix", "/b")
NOW = 1_800_000_000.0


@asynccontextmanager
async def attending(root: Path) -> AsyncGenerator[Witness]:
    """A witness of the files `a` and `b` of a directory, with its task running."""
    watch, watches = Inotify(), Watches()
    watches.add(watch, {str(root / "a"): (A,), str(root / "b"): (B,)})
    witness = Witness(lambda: NOW)
    witness.arrange(watches)
    if witness.refusal is not None:
        pytest.skip(f"needs CAP_SYS_ADMIN for fanotify: {witness.refusal}")
    if not witness._numbers:
        pytest.skip("needs a file system with file handles under the temporary directory")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(witness.attend)
        try:
            yield witness
        finally:
            nursery.cancel_scope.cancel()
    witness.close()
    watch.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(witness: Witness, key: ResourceKey) -> Evidence:
    with trio.fail_after(10):
        while (
            (found := witness.of(key)) is None or found.author is None or not found.author.command
        ):
            await trio.testing.wait_all_tasks_blocked(0.005)
    return found


async def until_seen(witness: Witness, key: ResourceKey) -> None:
    with trio.fail_after(10):
        while witness.of(key) is None:
            await trio.testing.wait_all_tasks_blocked(0.005)


async def test_a_change_has_an_author_with_his_words(tmp_path: Path) -> None:
    """The process that wrote is named for the resource that it wrote to, and for no other."""
    async with attending(tmp_path) as witness:
        process = await trio.lowlevel.open_process(
            ["sh", "-c", "echo x > a; read line"], stdin=subprocess.PIPE, cwd=tmp_path
        )
        found = await until(witness, A)
        assert found.at == NOW
        assert found.author is not None
        assert found.author.pid == process.pid
        assert found.author.command == "sh -c echo x > a; read line"
        assert found.author.uid == os.geteuid()
        assert witness.of(B) is None
        process.kill()
        await process.wait()


async def test_what_we_do_ourselves_is_nobodys_change(tmp_path: Path) -> None:
    """An apply of our own names no author."""
    async with attending(tmp_path) as witness:
        (tmp_path / "a").write_text("x")
        assert witness.catch_up() == []
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert witness.of(A) is None


async def test_an_author_of_before_is_no_author_of_now(tmp_path: Path) -> None:
    """What was as it should be is forgotten up to that look, and nothing that came later."""
    async with attending(tmp_path) as witness:
        witness.note(frozenset({A}))
        witness.forget(frozenset({A}), trio.current_time() - 1.0)
        assert witness.of(A) == Evidence(NOW)
        witness.forget(frozenset({B}), trio.current_time() + 1.0)
        assert witness.of(A) == Evidence(NOW)
        witness.forget(None, trio.current_time() + 1.0)
        assert witness.of(A) is None


async def test_a_directory_in_the_place_of_another_is_attended_to(tmp_path: Path) -> None:
    """The old one is silent wherever it went, the new one is heard."""
    (tmp_path / "srv").mkdir()
    async with attending(tmp_path / "srv") as witness:
        watches = Watches()
        (tmp_path / "srv").rename(tmp_path / "old")
        (tmp_path / "srv").mkdir()
        watch = Inotify()
        watches.add(watch, {str(tmp_path / "srv/a"): (A,)})
        witness.arrange(watches)
        witness.catch_up()
        await trio.run_process(["sh", "-c", "echo x > old/a; echo x > srv/b"], cwd=tmp_path)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert witness.of(A) is None
        await trio.run_process(["sh", "-c", "echo x > srv/a"], cwd=tmp_path)
        await until_seen(witness, A)
        watch.close()


async def test_a_host_that_names_nobody_says_so_and_knows_when(tmp_path: Path) -> None:
    """Without the right to ask, the time of the event is all there is."""

    def refuse() -> Fanotify:
        raise PermissionError(1, "Operation not permitted")

    watch, watches = Inotify(), Watches()
    watches.add(watch, {str(tmp_path / "a"): (A,)})
    witness = Witness(lambda: NOW, refuse)
    witness.arrange(watches)
    assert "Operation not permitted" in (witness.refusal or "")
    assert witness.catch_up() == []
    witness.note(frozenset({A}))
    assert witness.of(A) == Evidence(NOW)
    watch.close()


async def test_no_descriptor_is_kept_for_nothing(tmp_path: Path) -> None:
    """A host that manages no path any more asks nobody."""
    async with attending(tmp_path) as witness:
        held = descriptors()
        witness.arrange(Watches())
        assert descriptors() == held - 1


async def test_a_command_line_that_nobody_can_read_holds_one_thread_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever makes his memory wait must not take one thread of the agent a minute with it."""
    held, begun = threading.Event(), list[int]()
    witness = Witness(lambda: NOW)

    def complete(author: Author) -> Author:
        begun.append(author.pid)
        held.wait(30.0)
        return author

    witness._processes.complete = complete  # type: ignore[method-assign]  # it waits
    with monkeypatch.context() as short:
        short.setattr("agent.witness.COMMAND_SECONDS", 0.01)
        short.setattr("agent.witness.SILENT_SECONDS", 0.0)
        try:
            for pid in (7, 8, 9):
                witness._seen[A] = (0.0, Evidence(NOW, Author(pid, "/bin/x")))
                await witness._complete([A])
            assert begun == [7]
        finally:
            held.set()
    with trio.fail_after(10):
        while witness._left:
            await trio.testing.wait_all_tasks_blocked(0.005)
    witness._seen[A] = (0.0, Evidence(NOW, Author(9, "/bin/x")))
    await witness._complete([A])
    assert begun == [7, 9]
