"""A command is signed only if it is the one that was typed, for the hosts that were meant."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from protocol import commands, decisions
from protocol.api_commands import OutputPage, OutputPiece
from protocol.commands import Command
from tests.fakes.api_commands import CommandCoordinator
from tests.fakes.api_server import Reply, Request
from tests.fakes.operator import Person


@pytest.fixture
def coordinator() -> Iterator[CommandCoordinator]:
    made = CommandCoordinator()
    with made.running():
        yield made


def place(coordinator: CommandCoordinator, **fields: object) -> str:
    """Make a command on the first host as another person would; return its id."""
    targeting = {"type": "nodes", "node_ids": [coordinator.agents[0].node_id]}
    body = msgspec.json.encode({"targeting": targeting} | fields)
    coordinator.answer(Request("POST", "/api/v1/commands", {}, {}, body))
    assert coordinator.info is not None
    return coordinator.info.id


def test_what_is_signed_is_what_was_typed(lena: Person, coordinator: CommandCoordinator) -> None:
    """The decision names the hosts and the hash of the document, computed here."""
    nodes = sorted(coordinator.add_host(name) for name in ("web1", "web2"))
    shown = lena.types("run uptime --on role=web --user deploy --env A=1")
    assert shown.code == 0, shown
    (decision,) = coordinator.decisions
    own = Command(script="uptime", user="deploy", env={"A": "1"})
    assert decision.capability == "command.run"
    assert decision.action_hash == decisions.canonical_hash(commands.action(own))
    assert list(decision.nodes) == nodes


@pytest.mark.parametrize("lie", ["command", "hash", "node_added", "node_lost", "step", "scope"])
def test_a_coordinator_that_lies_gets_no_signature(
    lena: Person, coordinator: CommandCoordinator, lie: str
) -> None:
    """Another command, other hosts, another kind of run: nothing is signed."""
    coordinator.add_host("web1")
    coordinator.add_host("web2")
    other = Command(script="rm -rf /")
    evil = decisions.canonical_hash(commands.action(other))
    if lie == "command":
        coordinator.bend_command = lambda info: msgspec.structs.replace(info, command=other)
        coordinator.bend = lambda run: msgspec.structs.replace(run, action_hash=evil)
    elif lie == "hash":
        coordinator.bend = lambda run: msgspec.structs.replace(run, action_hash=evil)
    elif lie == "node_added":
        extra = coordinator.add_host("db1")
        coordinator.bend = lambda run: msgspec.structs.replace(
            run, steps=(*run.steps, msgspec.structs.replace(run.steps[0], node_id=extra))
        )
    elif lie == "node_lost":
        coordinator.bend = lambda run: msgspec.structs.replace(run, steps=run.steps[:1])
    elif lie == "step":
        coordinator.bend = lambda run: msgspec.structs.replace(run, step="state.apply")
    else:
        coordinator.bend = lambda run: msgspec.structs.replace(run, scope="a/b/c")
    shown = lena.types("run uptime --node web1 --node web2")
    assert shown.code == 3, shown
    assert "nothing was signed" in shown.err
    assert coordinator.decisions == []


def test_equal_answers_are_one_and_the_missing_are_named(
    lena: Person, coordinator: CommandCoordinator
) -> None:
    """A host that is away holds up nobody; exit code 5 says that not all is done."""
    a, b, c, d = (coordinator.add_host(name) for name in ("a", "b", "c", "d"))
    coordinator.text = {a: "same\n", b: "same\n", c: "other\n"}
    coordinator.code = {c: 3}
    coordinator.away = {d}
    shown = lena.types("run uptime --on role=web")
    assert shown.code == 5
    assert "2 hosts: a, b  exit 0\n  same\n1 host: c  exit 3\n  other\n" in shown.out
    assert "missing  d: away, last seen 2026-01-01T00:00:00Z" in shown.out
    assert "2 of 4 hosts went well, 1 missing" in shown.out


def test_one_host_speaks_as_it_is(lena: Person, coordinator: CommandCoordinator) -> None:
    """And a terminal obeys nothing of it."""
    node = coordinator.add_host("web1")
    coordinator.text = {node: "one\n\x1b]0;evil\x07two\n"}
    shown = lena.types("run uptime --node web1")
    assert shown.code == 0
    assert shown.out.startswith("one\n")
    assert "\x1b" not in shown.out


def test_a_command_that_waits_is_approved_or_denied(
    lena: Person, coordinator: CommandCoordinator
) -> None:
    """Whoever signs later sees the command itself, and only what was shown is signed."""
    coordinator.add_host("web1")
    name = place(coordinator, command_text="reboot now")
    asked = lena.types(f"approve {name}")
    assert asked.code == 2
    assert "reboot now" in asked.out
    denied = lena.types(f"approve {name} --deny --yes")
    assert (denied.code, coordinator.decisions[-1].verdict) == (0, "deny")
    assert lena.types(f"approve {name} --yes").code == 1


@pytest.mark.parametrize(("typed", "most"), [("", 3_600), (" --expires 2h", 7_201)])
def test_a_signature_lasts_no_longer_than_was_typed(
    lena: Person, coordinator: CommandCoordinator, typed: str, most: int
) -> None:
    """A coordinator that claims another end of the command has no say in it."""
    coordinator.add_host("web1")
    late = "2099-01-01T00:00:00Z"
    coordinator.bend_command = lambda info: msgspec.structs.replace(info, expires_at=late)
    assert lena.types(f"run uptime --node web1{typed}").code == 0
    (decision,) = coordinator.decisions
    assert decision.expires_at - decision.not_before <= most


def test_the_hosts_that_are_shown_are_those_that_are_signed(
    lena: Person, coordinator: CommandCoordinator
) -> None:
    """A run that names another host the second time it is read gets no signature."""
    coordinator.add_host("web1")
    other = coordinator.add_host("db1")
    name = place(coordinator, command_text="reboot")
    shown = coordinator.runs[name]
    step = msgspec.structs.replace(shown.steps[0], node_id=other, name="db1")
    lie = msgspec.structs.replace(shown, steps=(step,))
    reads = iter((shown, lie))

    def answer(_: Request) -> Reply:
        return Reply(next(reads, lie))

    coordinator.on("GET", f"/runs/{name}", answer)
    approved = lena.types(f"approve {name} --yes")
    assert (approved.code, coordinator.decisions) == (3, []), approved
    assert "for other hosts" in approved.err


def test_no_line_of_a_script_passes_for_a_field(
    lena: Person, coordinator: CommandCoordinator
) -> None:
    """Who signs later sees user, end and input; what is the command's own text is indented."""
    coordinator.add_host("web1")
    name = place(
        coordinator,
        command_text="id\nexit\nuser: nobody",
        stdin="cm0gLXJmIC8K",
        expires_at="2099-01-01T00:00:00Z",
    )
    lines = lena.types(f"approve {name}").out.splitlines()
    assert "user: the agent's own" in lines
    assert "user: nobody" not in lines
    assert "  user: nobody" in lines
    assert "  rm -rf /" in lines
    assert "expires: 2099-01-01T00:00:00Z" in lines


def test_output_that_never_moves_on_ends(lena: Person, coordinator: CommandCoordinator) -> None:
    """A coordinator that says the same piece again and again is not listened to for ever."""
    node = coordinator.add_host("web1")
    page = OutputPage((OutputPiece(1, node, 0, "same\n"),), over=False)
    coordinator.bend_output = lambda _: page
    shown = lena.types("run true --node web1")
    assert (shown.code, shown.out) == (0, "same\n")


def test_a_host_whose_answer_is_left_out_did_not_go_well(
    lena: Person, coordinator: CommandCoordinator
) -> None:
    """Exit code 0 is for all the hosts that were signed for, not for those that are told of."""
    for name in ("web1", "web2"):
        coordinator.add_host(name)
    coordinator.bend_executions = lambda found: tuple(
        one for one in found if one.node_name == "web1"
    )
    shown = lena.types("run true --node web1 --node web2")
    assert shown.code == 5
    assert "1 of 2 hosts went well" in shown.out
