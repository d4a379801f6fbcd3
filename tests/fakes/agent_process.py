"""A real agent process for tests: started from the checkout, killed and started again at will."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def agent(state_dir: Path, *options: str, **environment: str) -> AsyncGenerator[trio.Process]:
    """Run `standfast-agent run` while the block lasts; what is left of it is killed."""
    await trio.Path(state_dir).mkdir(mode=0o700, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "agent.main",
        "run",
        "--state-dir",
        str(state_dir),
        "--policy-file",
        str(state_dir / "policy.toml"),
        *options,
    ]
    with (state_dir / "log").open("ab") as log:
        process = await trio.lowlevel.open_process(
            command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
            await process.wait()


async def run_command(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run one command of `standfast-agent` to its end."""
    return await trio.run_process(
        [sys.executable, "-m", "agent.main", *arguments],
        cwd=ROOT,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something outside this process is so: the one place that looks again and again."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - another process rings no bell of ours
            await trio.sleep(0.005)


def kill(process: trio.Process) -> None:
    """End a process as a power cut does."""
    process.send_signal(signal.SIGKILL)


def lines(paths: Sequence[Path]) -> list[int]:
    """How many lines each file has, 0 for one that is not there."""
    return [len(p.read_text().splitlines()) if p.exists() else 0 for p in paths]
