"""A command as a step: streamed, kept whole, bounded, and never run a second time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
import trio

from agent import command_cgroup, command_steps, step_store
from agent.command_steps import DIRECTORY
from protocol.messages import Cancel
from tests.fakes.command_host import CommandHost, bash, is_gone, left_by, shell


@pytest.fixture
def host(tmp_path: Path) -> CommandHost:
    return CommandHost(tmp_path)


async def test_output_and_exit_code_are_reported(host: CommandHost) -> None:
    """Both streams come as one, in order, with the code that the program gave."""
    result = await host.run(shell("echo one; echo two >&2; echo three; exit 7"))
    assert host.text() == "one\ntwo\nthree\n"
    assert (result.exit_code, result.ending, result.size) == (7, "exited", 14)
    assert (host.finished().outcome, host.finished().message) == ("failed", "exit code 7")
    assert not list((host.root / "state" / DIRECTORY).iterdir())


async def test_a_command_that_goes_well_succeeds(host: CommandHost) -> None:
    """Its journal holds accepted, started, output, result, finished, in this order."""
    await host.run(shell("echo yes"))
    kinds = [entry.kind for entry in host.core.journal.after(0)]
    assert kinds == ["accepted", "started", "output", "artifact", "finished"]
    assert host.finished().outcome == "succeeded"


async def test_a_timeout_keeps_what_was_printed(host: CommandHost) -> None:
    """Exit 124 of our own; the words before it are there."""
    result = await host.run(shell("echo before; exec sleep 600", timeout_ms=300))
    assert (result.ending, result.exit_code) == ("timeout", 124)
    assert host.text() == "before\n"
    assert host.finished().outcome == "failed"


@pytest.mark.parametrize("code", [124, 143])
async def test_codes_of_the_script_are_its_own(host: CommandHost, code: int) -> None:
    """A script that ends with 124 or 143 by itself was neither late nor cancelled."""
    result = await host.run(shell(f"exit {code}"))
    assert (result.ending, result.exit_code) == ("exited", code)
    assert host.finished().outcome == "failed"


async def test_a_script_that_gets_term_from_elsewhere_was_not_cancelled(host: CommandHost) -> None:
    """128 + 15 is 143, and still the script's own."""
    result = await host.run(shell("kill -TERM $$"))
    assert (result.ending, result.exit_code) == ("exited", 143)


async def _cancel_at_first_word(host: CommandHost) -> None:
    bell = host.core.journal_bell
    known = 0
    with trio.fail_after(30):
        while not host.text():
            known = await bell.heard(known)
    host.core.steps.cancel(Cancel("run-1", 1))


async def test_a_cancel_ends_it_and_keeps_what_was_printed(
    host: CommandHost, tmp_path: Path
) -> None:
    """Exit 143, the outcome `cancelled`, and a child of another session is ended too."""
    note = tmp_path / "pid"
    child = f"setsid sh -c 'trap \"\" TERM; echo $$ >{note}; exec sleep 600' &"
    script = f"{child} while [ ! -s {note} ]; do :; done; echo before; wait"
    assert host.offered(host.offer(shell(script))) == "accepted"
    host.core.attach()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_at_first_word, host)
        await host.core.steps.run_next()
    result = host.result()
    assert (result.ending, result.exit_code) == ("cancelled", 143)
    assert (host.finished().outcome, host.text()) == ("cancelled", "before\n")
    if result.contained:
        assert is_gone(left_by(note))


async def test_a_cancel_before_its_turn_means_that_it_never_begins(
    host: CommandHost, tmp_path: Path
) -> None:
    """What waits is ended at once."""
    host.offered(host.offer(shell(f"touch {tmp_path}/ran")))
    host.core.steps.cancel(Cancel("run-1", 1))
    assert not await host.core.steps.run_next()
    assert host.finished().outcome == "cancelled"
    assert not (tmp_path / "ran").exists()


async def test_a_command_cut_short_is_interrupted_and_never_run_again(
    host: CommandHost, tmp_path: Path
) -> None:
    """After a crash: its output is kept, what still runs of it is ended, it is not begun anew."""
    host.offered(host.offer(shell(f"echo again >>{tmp_path}/ran")))
    host.core.database.write(lambda tx: step_store.start(tx, "run-1"))
    step = host.core.database.read(lambda tx: step_store.find(tx, "run-1"))
    assert step is not None
    directory = host.root / "state" / DIRECTORY
    directory.mkdir()
    name = _name(host)
    (directory / name).write_bytes(b"what it had said\n")
    assert await host.core.steps.run_next()
    result = host.result()
    assert (result.ending, result.exit_code) == ("interrupted", None)
    assert result.output is not None
    assert host.artifact(result.output) == b"what it had said\n"
    assert host.finished().outcome == "interrupted"
    assert not (tmp_path / "ran").exists()
    assert not list(directory.iterdir())
    assert not await host.core.steps.run_next()


def _name(host: CommandHost) -> str:
    return command_steps.name_of(host.node, "run-1")


def _left() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"], start_new_session=True)


async def test_what_ran_on_after_a_crash_is_ended(host: CommandHost) -> None:
    """A process that outlived its agent is found by its cgroup or by number and start time."""
    left = _left()
    name = _name(host)
    group = command_cgroup.make(name)
    if group is not None:
        (group.path / "cgroup.procs").write_text(str(left.pid))
    host.offered(host.offer(shell("true")))
    host.core.database.write(lambda tx: step_store.start(tx, "run-1"))
    directory = host.root / "state" / DIRECTORY
    directory.mkdir()
    command_steps.note_process(directory / f"{name}.pid", left.pid)
    await host.core.steps.run_next()
    assert left.wait(10) == -9


async def test_a_number_that_is_another_process_now_is_left_alone(host: CommandHost) -> None:
    """Only the process that was noted is ended, told by when it began."""
    host.offered(host.offer(shell("true")))
    host.core.database.write(lambda tx: step_store.start(tx, "run-1"))
    directory = host.root / "state" / DIRECTORY
    directory.mkdir()
    (directory / f"{_name(host)}.pid").write_text(f"{os.getpid()} 1")
    await host.core.steps.run_next()
    assert host.finished().outcome == "interrupted"


async def test_a_command_whose_time_is_over_does_not_begin(
    host: CommandHost, tmp_path: Path
) -> None:
    """The very moment counts as over."""
    offer = host.offer(shell(f"touch {tmp_path}/ran"))
    offer = msgspec.structs.replace(offer, expires_at=host.clock.now)
    assert host.offered(offer) == "accepted"
    await host.core.steps.run_next()
    assert host.finished().outcome == "expired"
    assert not (tmp_path / "ran").exists()


async def test_commands_of_one_host_run_one_after_the_other(
    host: CommandHost, tmp_path: Path
) -> None:
    """The second begins when the first has ended, in the order of acceptance."""
    lock = tmp_path / "lock"
    script = f"mkdir {lock} || exit 9; echo $$; rmdir {lock}"
    for run in ("run-1", "run-2"):
        assert host.offered(host.offer(shell(script), run_id=run)) == "accepted"
    while await host.core.steps.run_next():
        pass
    assert [host.result(run).exit_code for run in ("run-1", "run-2")] == [0, 0]


async def test_a_user_that_is_not_there_is_told_in_the_output(host: CommandHost) -> None:
    """It fails as a shell would, with 126."""
    result = await host.run(shell("true", user="nobody-of-that-name"))
    assert result.exit_code == 126
    assert "no user" in host.text()


async def test_a_directory_that_is_not_there_is_told_in_the_output(host: CommandHost) -> None:
    """Nothing runs elsewhere instead."""
    result = await host.run(shell("true", cwd="/nowhere-at-all"))
    assert result.exit_code == 126
    assert "/nowhere-at-all" in host.text()


async def test_all_that_was_signed_reaches_the_command(host: CommandHost) -> None:
    """Variables, directory, input, limits and shell are as the document says."""
    command = shell(
        "echo $A; pwd; cat; ulimit -n; echo $HOME",
        env={"A": "a b", "HOME": "/mine"}, cwd="/usr", stdin=b"in\n", rlimits={"nofile": 64},
    )  # fmt: skip
    await host.run(command)
    assert host.text() == "a b\n/usr\nin\n64\n/mine\n"


async def test_a_transcript_shows_each_line_before_it_runs(host: CommandHost) -> None:
    """The published look, as an option of bash scripts."""
    await host.run(bash("ABC=value\necho $ABC\n", transcript=True))
    assert host.text() == "$ ABC=value\n$ echo $ABC\nvalue\n"
