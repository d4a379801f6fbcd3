"""Commands and a hostile coordinator, or hostile programs: only what was signed, and bounded."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from agent import step_store
from protocol.commands import Command
from protocol.messages import Offer
from protocol.standing import Standing
from tests.fakes.command_host import CommandHost, bash, is_gone, left_by, shell
from tests.fakes.judged_host import BOB, EVE
from tests.fakes.operators import Approval, module

pytestmark = pytest.mark.hostile
SIGNED = Command(argv=("/bin/echo", "hello"), env={"A": "1"}, stdin=b"x", rlimits={"core": 0})
CHANGES: dict[str, object] = {
    "argv": ("/bin/echo", "owned"),
    "user": "daemon",
    "cwd": "/tmp",
    "env": {"A": "1", "LD_PRELOAD": "/tmp/evil.so"},
    "stdin": b"y",
    "timeout_ms": 1,
    "rlimits": {},
    "shell": "/bin/bash",
}


@pytest.fixture
def host(tmp_path: Path) -> CommandHost:
    return CommandHost(tmp_path)


@pytest.mark.parametrize("name", CHANGES)
def test_no_field_of_a_signed_command_can_be_changed(host: CommandHost, name: str) -> None:
    """The host rebuilds the action from what it is offered, so any change is another action."""
    offer = host.offer(SIGNED)
    other = msgspec.structs.replace(SIGNED, **{name: CHANGES[name]})
    assert host.offered(msgspec.structs.replace(offer, command=other)) == "action_mismatch"
    assert host.offered(offer) == "accepted"


def test_every_field_of_a_command_is_bound() -> None:
    """A field that is added later must be added to the action: this list names all."""
    named = {*CHANGES, "script", "transcript"}
    assert named == set(Command.__struct_fields__)


@pytest.mark.parametrize("change", [{"script": "echo owned"}, {"transcript": True}])
def test_nor_can_a_script(host: CommandHost, change: dict[str, object]) -> None:
    """The text and the way that it is shown are bound as well."""
    command = bash("echo hello")
    offer = host.offer(command)
    other = msgspec.structs.replace(command, **change)
    assert host.offered(msgspec.structs.replace(offer, command=other)) == "action_mismatch"


def test_nothing_unsigned_runs(host: CommandHost) -> None:
    """No decision, a stranger's, one for another host, or one for another capability."""
    good = host.offer(SIGNED)
    assert host.offered(msgspec.structs.replace(good, decision=None)) == "unsigned"
    assert host.offered(host.offer(SIGNED, EVE)) == "signer_unknown"
    node = "0" * 8 + "-0000-8000-8000-" + "0" * 12
    assert host.offered(host.offer(SIGNED, nodes=(node,))) == "node_not_named"
    assert host.offered(host.offer(SIGNED, capability="state.apply")) == "capability_mismatch"
    assert host.core.database.read(step_store.count_unfinished) == 0


def test_a_decision_is_used_once(host: CommandHost) -> None:
    """The same decision under another run id is a replay; under its own it is known."""
    good = host.offer(SIGNED)
    assert host.offered(good) == "accepted"
    assert host.core.admission.consider(good) == "known"
    assert host.offered(msgspec.structs.replace(good, run_id="run-2")) == "replayed"


def test_a_command_comes_alone(host: CommandHost) -> None:
    """Nothing that was not signed rides along, and a command does not ride along itself."""
    good = host.offer(SIGNED)
    rider = module("web", b"name: web", None)
    assert host.offered(msgspec.structs.replace(good, modules=(rider,))) == "action_mismatch"
    assert host.offered(msgspec.structs.replace(good, rollback_of="op-1")) == "action_mismatch"
    standing = Standing("nightly", (), 600)
    assert host.offered(msgspec.structs.replace(good, standing=standing)) == "action_mismatch"
    apply = Approval(host.node, (), ("ab" * 32,), host.clock.now).signed(BOB)
    assert host.offered(msgspec.structs.replace(apply, command=SIGNED)) == "action_mismatch"
    empty = Offer("r9", "command.run", "l", 1, "op", decision=good.decision)
    assert host.offered(empty) == "action_mismatch"


@pytest.mark.parametrize(
    ("rule", "command", "reason"),
    [
        ('users = ["deploy"]', SIGNED, "policy_user"),
        ('users = ["deploy"]', msgspec.structs.replace(SIGNED, user="0"), "policy_user"),
        ('users = ["deploy"]', msgspec.structs.replace(SIGNED, user="deploy"), "accepted"),
        ('users = ["root"]', msgspec.structs.replace(SIGNED, user="00"), "accepted"),
        ('signature = "deny"', SIGNED, "policy_denied"),
        ('paths = ["/srv"]', SIGNED, "policy_path"),
        ('windows = ["mon-sun 00:00-00:01"]', SIGNED, "policy_window"),
        ('operators = ["bob"]', SIGNED, "policy_operator"),
        ("quorum = 2", SIGNED, "quorum_missing"),
    ],
)
def test_the_hosts_own_policy_holds_for_commands(
    host: CommandHost, rule: str, command: Command, reason: str
) -> None:
    """Users, windows, operators and quorum are asked before anything is done."""
    host.allow(rule)
    assert host.offered(host.offer(command)) == reason


async def test_a_policy_that_came_meanwhile_holds(host: CommandHost, tmp_path: Path) -> None:
    """What waits is judged again in its turn: by the policy, and by the decision's end."""
    host.offered(host.offer(shell(f"touch {tmp_path}/ran")))
    host.offered(host.offer(shell(f"touch {tmp_path}/ran"), run_id="run-2"))
    host.allow('signature = "deny"')
    await host.core.steps.run_next()
    host.allow("")
    host.clock.now += 7_200
    await host.core.steps.run_next()
    kinds = [entry.kind for entry in host.core.journal.after(2)]
    assert kinds == ["refused", "refused"]
    assert not (tmp_path / "ran").exists()


async def test_variables_of_the_agent_do_not_reach_a_command(
    host: CommandHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LD_PRELOAD and the like come from the signed document or not at all."""
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    monkeypatch.setenv("STANDFAST_TOKEN", "canary")
    await host.run(Command(argv=("/usr/bin/env",)))
    assert "canary" not in host.text()
    assert "LD_PRELOAD" not in host.text()
    await host.run(Command(argv=("/usr/bin/env",), env={"LD_PRELOAD": ""}), "run-2")
    assert "LD_PRELOAD=\n" in host.text("run-2")


async def test_a_child_that_leaves_the_session_is_ended_with_the_command(
    host: CommandHost, tmp_path: Path
) -> None:
    """A double fork into a session of its own stays in the cgroup."""
    note = tmp_path / "pid"
    script = f"(setsid sh -c 'trap \"\" TERM HUP; echo $$ >{note}; sleep 600' &) ; sleep 600"
    result = await host.run(shell(script, timeout_ms=1_000))
    assert result.ending == "timeout"
    if not result.contained:
        pytest.skip("no cgroup can be made here")
    assert is_gone(left_by(note))


async def test_what_a_command_left_running_goes_on(host: CommandHost, tmp_path: Path) -> None:
    """A daemon that a command started is not ended with it, and does not hold it up."""
    note = tmp_path / "pid"
    result = await host.run(shell(f"sleep 600 & echo $! >{note}"))
    assert result.exit_code == 0
    os.kill(left_by(note), 9)


async def test_a_gigabyte_of_output_is_bounded(host: CommandHost) -> None:
    """Half a MiB from either end is shown, 32 MiB are kept, the rest is counted."""
    size = 1 << 30
    result = await host.run(shell(f"head -c {size} /dev/zero | tr '\\0' x; echo end"))
    assert (result.exit_code, result.size) == (0, size + 4)
    text = host.text()
    assert len(text) == 1 << 20
    assert text.endswith("xend\n")
    assert result.omitted == size + 4 - (1 << 20)
    assert sum(piece.omitted for piece in host.pieces()) == result.omitted
    assert result.unkept == size + 4 - (32 << 20) - (1 << 19)
    assert result.output is not None
    assert host.artifact(result.output) == b"x" * (32 << 20)


async def test_invalid_text_becomes_valid_and_the_bytes_are_kept(host: CommandHost) -> None:
    """Every piece is whole UTF-8 although characters lie on every cut; NUL is only a character."""
    result = await host.run(shell("yes 'ä€😀' | head -c 1200001; printf '\\377\\376\\000'"))
    text = host.text()
    assert text.encode().decode() == text
    assert text.endswith("\ufffd\ufffd\0")
    assert "\ufffd" not in text[:100_000]
    assert result.omitted > 0
    assert result.output is not None
    assert host.artifact(result.output).endswith(b"\xff\xfe\0")


async def test_a_fork_bomb_is_ended(host: CommandHost) -> None:
    """Many processes that ignore TERM are gone after the timeout."""
    script = "for i in $(seq 50); do (trap '' TERM; sleep 600) & done; wait"
    result = await host.run(shell(script, timeout_ms=500))
    assert (result.ending, result.exit_code) == ("timeout", 124)


def test_a_command_over_its_limits_is_no_action(host: CommandHost) -> None:
    """What breaks the rules of a command is refused even if somebody signed something."""
    good = host.offer(SIGNED)
    for bad in (
        Command(),
        Command(argv=("a",), script="b"),
        Command(argv=("a", "b\0c")),
        Command(argv=("a",), env={"A=B": "1"}),
        Command(argv=("a",), cwd="relative"),
        Command(argv=("a",), rlimits={"nice": 1}),
        Command(argv=("a",), timeout_ms=0),
        Command(argv=("a",), stdin=b"x" * 262_145),
    ):
        offered = msgspec.structs.replace(good, command=bad)
        assert host.offered(offered) == "action_mismatch"
