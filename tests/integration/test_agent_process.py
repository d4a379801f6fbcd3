"""A real agent process: killed at any moment it loses nothing and does nothing twice."""

from __future__ import annotations

import signal
import socket
import sqlite3
import stat
from pathlib import Path

import msgspec
import pytest
import trio

from agent import identity
from protocol.keys import SigningKey
from protocol.messages import Accepted, Drift, Finished, Offer, Progress
from protocol.reports import ApplyResult, PlanResult
from tests.fakes.agent_process import agent, kill, lines, run_command, until
from tests.fakes.coordinator import FakeCoordinator
from tests.fakes.operators import Approval, Operator, first_roster, module
from tests.fakes.sites import scripts, site

pytestmark = pytest.mark.integration
ADA = Operator()
NOW = 1_800_000_000.0


def decided_now(state_dir: Path) -> float:
    """The host's own clock, as its file system shows it."""
    return (state_dir / "agent.db").stat().st_mtime


async def plan(coordinator: FakeCoordinator, offer: Offer) -> tuple[str, ...]:
    """Make a plan and return the digests of its items."""
    await coordinator.send(offer)
    await coordinator.until(
        lambda: any(f.run_id == offer.run_id for f in coordinator.bodies(Finished))
    )
    done = next(f for f in coordinator.bodies(Finished) if f.run_id == offer.run_id)
    assert done.artifact is not None, done
    result = msgspec.json.decode(coordinator.document(done.artifact), type=PlanResult)
    return tuple(item.digest for item in result.resources if item.digest)


def progress_rows(state_dir: Path) -> int:
    """How many messages of an apply the host has made durable, read from beside it."""
    with sqlite3.connect(f"file:{state_dir}/agent.db?mode=ro", uri=True) as database:
        row: tuple[int] = database.execute("SELECT COUNT(*) FROM progress").fetchone()
    database.close()
    return row[0]


def check_result(out: Path, end: Finished, result: ApplyResult) -> None:
    """What the four scripts left behind must be what was reported."""
    begun = lines([out / f"{number}.begin" for number in range(4)])
    ended = lines([out / f"{number}.end" for number in range(4)])
    statuses = [item.status for item in result.resources]
    # None at all, if the kill came between the message and the first line of the script.
    assert max(begun) <= 1, "a script was run twice"
    if end.outcome == "succeeded":
        assert begun == ended == [1, 1, 1, 1]
        assert statuses == ["changed"] * 4
    else:
        # The script that was running is reported as what it is; its dependants wait.
        assert end.outcome == "interrupted"
        cut = statuses.index("interrupted")
        assert statuses[:cut] == ["changed"] * cut
        assert set(statuses[cut + 1 :]) <= {"skipped"}
        assert begun[cut + 1 :] == [0] * (3 - cut)


# Durable messages after which the agent is killed: before the first item, between and inside
# items (a script runs while the odd ones are the last), and after the last one.
@pytest.mark.parametrize("point", [0, 1, 2, 3, 4, 7, 8])
async def test_killed_at_any_point_of_an_apply_nothing_is_lost_or_done_twice(
    tmp_path: Path, point: int
) -> None:
    """SIGKILL and a restart: each script ran at most once, every result arrives, in one chain."""
    state_dir, out = tmp_path / "state", tmp_path / "out"
    out.mkdir()
    coordinator = FakeCoordinator(SigningKey.generate(), [first_roster(ADA)])
    version = module("scripts", scripts(tmp_path, 4), ADA)
    async with coordinator.running():
        options = ("--enrolment-key", coordinator.enrolment_key())
        async with agent(state_dir, *options) as process:
            await coordinator.until(lambda: len(coordinator.facts) == 1)
            digests = await plan(coordinator, Offer("p", "state.plan", "l", 1, "op", (version,)))
            own = identity.load(state_dir)
            assert own is not None
            approval = Approval(own.node_id, (version,), digests, decided_now(state_dir))
            offer = approval.signed(ADA)
            await coordinator.send(offer)
            if point == 0:
                await coordinator.until(lambda: len(coordinator.bodies(Accepted)) == 2)
            elif point == 8:
                await coordinator.until(lambda: len(coordinator.bodies(Progress)) == 4)
            else:
                await until(lambda: progress_rows(state_dir) >= point)
            kill(process)
            await process.wait()
        async with agent(state_dir, *options):
            # A re-offer under a new fence: the host knows the step and goes on from its journal.
            await coordinator.until(lambda: len(coordinator.facts) == 2)
            await coordinator.send(msgspec.structs.replace(offer, fence=2))
            await coordinator.until(
                lambda: any(f.run_id == "run-1" for f in coordinator.bodies(Finished))
            )
            ends = [f for f in coordinator.bodies(Finished) if f.run_id == "run-1"]
            assert len(ends) == 1
            assert len(coordinator.bodies(Accepted)) == 2
            assert coordinator.chain_holds(own.key.public)
            assert ends[0].artifact is not None
            document = coordinator.document(ends[0].artifact)
            check_result(out, ends[0], msgspec.json.decode(document, type=ApplyResult))
    assert identity.load(state_dir) is not None


async def test_results_wait_for_a_coordinator_that_is_away(tmp_path: Path) -> None:
    """Cut off in the middle of an apply the host finishes it, and reports when it can."""
    state_dir, out = tmp_path / "state", tmp_path / "out"
    out.mkdir()
    coordinator = FakeCoordinator(SigningKey.generate(), [first_roster(ADA)])
    version = module("scripts", scripts(tmp_path, 2, "0.2"), ADA)
    async with coordinator.running():
        key = coordinator.enrolment_key()
        async with agent(state_dir, "--enrolment-key", key) as process:
            await coordinator.until(lambda: len(coordinator.facts) == 1)
            digests = await plan(coordinator, Offer("p", "state.plan", "l", 1, "op", (version,)))
            own = identity.load(state_dir)
            assert own is not None
            approval = Approval(own.node_id, (version,), digests, decided_now(state_dir))
            coordinator.acking = False
            await coordinator.send(approval.signed(ADA))
            await coordinator.until(lambda: len(coordinator.bodies(Accepted)) == 2)
            await coordinator.drop()
            await until((out / "1.end").exists)
            await coordinator.until(
                lambda: any(f.run_id == "run-1" for f in coordinator.bodies(Finished))
            )
            assert coordinator.secrets[1:] == [None] * (len(coordinator.secrets) - 1)
            assert coordinator.chain_holds(own.key.public)
            assert coordinator.duplicates, "what was not acknowledged is sent again"
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(10):
                assert await process.wait() == 0


async def test_stopping_during_a_script_is_quick_and_honest(tmp_path: Path) -> None:
    """SIGTERM does not wait for a long script; the next start says that it was interrupted."""
    state_dir, out = tmp_path / "state", tmp_path / "out"
    out.mkdir()
    coordinator = FakeCoordinator(SigningKey.generate(), [first_roster(ADA)])
    version = module("scripts", scripts(tmp_path, 2, "60"), ADA)
    async with coordinator.running():
        options = ("--enrolment-key", coordinator.enrolment_key())
        async with agent(state_dir, *options) as process:
            await coordinator.until(lambda: len(coordinator.facts) == 1)
            digests = await plan(coordinator, Offer("p", "state.plan", "l", 1, "op", (version,)))
            own = identity.load(state_dir)
            assert own is not None
            approval = Approval(own.node_id, (version,), digests, decided_now(state_dir))
            await coordinator.send(approval.signed(ADA))
            await until((out / "0.begin").exists)
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(20):
                assert await process.wait() == 0
        async with agent(state_dir, *options):
            await coordinator.until(
                lambda: any(f.run_id == "run-1" for f in coordinator.bodies(Finished))
            )
        done = next(f for f in coordinator.bodies(Finished) if f.run_id == "run-1")
        assert done.outcome == "interrupted"
        assert lines([out / "0.begin", out / "0.end", out / "1.begin"]) == [1, 0, 0]


async def test_drift_while_the_agent_was_down_is_told_once(tmp_path: Path) -> None:
    """A restart looks at everything, and a difference that was told already is not news."""
    state_dir = tmp_path / "state"
    coordinator = FakeCoordinator(SigningKey.generate(), [first_roster(ADA)])
    version = module("site", site(tmp_path), ADA)
    async with coordinator.running():
        options = ("--enrolment-key", coordinator.enrolment_key())
        async with agent(state_dir, *options) as process:
            await coordinator.until(lambda: len(coordinator.facts) == 1)
            digests = await plan(coordinator, Offer("p", "state.plan", "l", 1, "op", (version,)))
            own = identity.load(state_dir)
            assert own is not None
            approval = Approval(own.node_id, (version,), digests, decided_now(state_dir))
            await coordinator.send(approval.signed(ADA))
            await coordinator.until(lambda: len(coordinator.bodies(Finished)) == 2)
            kill(process)
            await process.wait()
        page = tmp_path / "srv/index.html"
        page.unlink()
        for _ in range(2):
            async with agent(state_dir, *options) as process:
                await coordinator.until(lambda: len(coordinator.bodies(Drift)) == 1)
                await coordinator.until(coordinator.is_up)
                kill(process)
                await process.wait()
        async with agent(state_dir, *options):
            await coordinator.until(coordinator.is_up)
            page.write_text("hello")
            page.chmod(0o644)
            await coordinator.until(lambda: len(coordinator.bodies(Drift)) == 2)
            told = [d.record.status for d in coordinator.bodies(Drift)]
            assert told == ["drifted", "in_sync"]


async def test_the_service_manager_is_told(tmp_path: Path) -> None:
    """READY once it runs, WATCHDOG from the living loop, STOPPING at SIGTERM."""
    address = str(tmp_path / "notify")
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        await manager.bind(address)
        heard = b""
        environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
        with trio.fail_after(30):
            async with agent(tmp_path / "state", **environment) as process:
                while b"READY=1" not in heard or heard.count(b"WATCHDOG=1") < 2:
                    heard += await manager.recv(4_096) + b"\n"
                process.send_signal(signal.SIGTERM)
                while b"STOPPING=1" not in heard:
                    heard += await manager.recv(4_096) + b"\n"
                assert await process.wait() == 0
        assert b"STATUS=node " in heard


async def test_identity_is_made_once_and_shown(tmp_path: Path) -> None:
    """The identity file is 0600, the command shows it, and no start changes a byte of it."""
    state_dir = tmp_path / "state"
    shown = await run_command("show-identity", "--state-dir", str(state_dir))
    assert shown.returncode == 1
    async with agent(state_dir) as process:
        await until((state_dir / "agent.db").exists)
        second = await run_command("run", "--state-dir", str(state_dir))
        assert second.returncode == 1
        assert b"another agent is running" in second.stderr
        kill(process)
        await process.wait()
    path = state_dir / identity.FILE
    before = path.read_bytes(), path.stat().st_ino
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with agent(state_dir) as process:
        await until(lambda: b"ready" in (state_dir / "log").read_bytes())
    assert (path.read_bytes(), path.stat().st_ino) == before
    shown = await run_command("show-identity", "--state-dir", str(state_dir))
    own = identity.load(state_dir)
    assert own is not None
    assert own.node_id.encode() in shown.stdout
    assert own.fingerprint.encode() in shown.stdout


async def test_a_waiting_agent_takes_the_key_that_enrol_leaves(tmp_path: Path) -> None:
    """`enrol KEY` reaches an agent that runs, and the secret does not stay behind."""
    state_dir = tmp_path / "state"
    coordinator = FakeCoordinator(SigningKey.generate(), [first_roster(ADA)])
    async with coordinator.running(), agent(state_dir):
        await until(lambda: b"ready" in (state_dir / "log").read_bytes())
        key = coordinator.enrolment_key()
        done = await run_command("enrol", "--state-dir", str(state_dir), key)
        assert done.returncode == 0, done.stderr
        await coordinator.until(lambda: len(coordinator.facts) == 1)
        assert coordinator.secrets == [coordinator.secret]
        await until(lambda: not (state_dir / "enrolment-key").exists())
    bad = await run_command("enrol", "--state-dir", str(state_dir), "nonsense")
    assert bad.returncode == 1
    assert b"not an enrolment key" in bad.stderr


async def test_a_policy_that_others_may_write_keeps_the_agent_from_starting(tmp_path: Path) -> None:
    """A policy file that is no policy is an error at the start, not a default."""
    path = tmp_path / "policy.toml"
    path.write_text("")
    path.chmod(0o666)
    state = str(tmp_path / "state")
    done = await run_command("run", "--state-dir", state, "--policy-file", str(path))
    assert done.returncode == 1
    assert b"writable by others" in done.stderr
    database = trio.Path(state) / "agent.db"
    assert not await database.exists()
