"""From names to checked plans; the commands themselves are tested in `cli/test_state.py`."""

from __future__ import annotations

import msgspec

from client.planning import Planned, by_label, next_command, plan_document
from client.sign import HostPlan, check_plan, statement
from protocol import reports
from protocol.api import Run
from tests.fakes.api_server import FakeCoordinator, Reply, item, plan_of
from tests.fakes.operator import Person

NODES = [f"0{number}000000-0000-8000-8000-000000000000" for number in range(3)]
RUN = Run("r1", "state.plan", "completed", "s", "t", "lena", ("web",), ())


def host(number: int, name: str | None, action: str = "update") -> HostPlan:
    one = item("/etc/a", "remove" if action == "remove" else "update")
    return check_plan(NODES[number], name, plan_of(NODES[number], one))


def test_hosts_of_one_name_are_told_apart() -> None:
    """Two hosts can never hide behind one label."""
    labels = by_label([host(0, "web"), host(1, "web"), host(2, None)])
    assert list(labels) == [f"web {NODES[0]}", f"web {NODES[1]}", NODES[2]]


def test_the_next_command_names_the_removals() -> None:
    """It can be pasted as it is."""
    assert next_command(Planned(RUN, (host(0, "web"),), ())) == "standfast approve r1"
    planned = Planned(RUN, (host(0, "web", "remove"),), ())
    assert next_command(planned) == "standfast approve r1 --removal-limit 1"


def test_a_plan_without_changes_offers_nothing_to_sign() -> None:
    """No hash, no next command."""
    plan = check_plan(NODES[0], "web", plan_of(NODES[0], item("/etc/a", "none")))
    planned = Planned(RUN, (plan,), ())
    document = plan_document(planned, statement(planned.plans, 0), "standfast approve r1")
    assert (document["action_hash"], document["next"], document["changes"]) == (None, None, False)


def test_a_plan_over_other_hosts_than_asked_for_is_not_shown(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """Nobody is slipped in, nobody dropped."""
    coordinator.add_host("web", item("/etc/a"))
    coordinator.add_host("db", item("/etc/a"))
    coordinator.bend = lambda run: msgspec.structs.replace(run, steps=run.steps[:1])
    shown = lena.types("state plan web db")
    assert shown.code == 3
    assert not shown.out


def test_a_host_that_is_away_is_told_of_at_once_and_not_waited_for(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The others' plans are shown although the run still waits for one."""
    coordinator.add_host("web", item("/etc/a"))
    coordinator.add_host("away", item("/etc/a"))
    gone = msgspec.structs.replace(coordinator.agents[1], connected=False)
    coordinator.agents[1] = gone

    def wait(run: Run) -> Run:
        steps = tuple(
            msgspec.structs.replace(step, phase="pending", result=None)
            if step.node_id == gone.node_id
            else step
            for step in run.steps
        )
        return msgspec.structs.replace(run, phase="running", steps=steps)

    coordinator.bend = wait
    shown = lena.types("state plan web away")
    assert shown.code == 5
    assert "away is away, last seen" in shown.err
    assert "away gave no plan (pending)" in shown.out
    assert "Plan: 0 to add, 1 to change" in shown.out
    assert lena.types("state drift away").code == 1


def test_no_node_is_a_usage_error_and_no_match_is_not_found(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The two are told apart by their exit codes."""
    assert coordinator.agents == []
    assert lena.types("state plan").code == 2
    assert lena.types("state plan --on role=none").code == 4


def test_without_a_module_the_plan_is_of_what_was_applied_last(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A forgotten --module never becomes a plan that removes everything."""
    coordinator.add_host("web")
    shown = lena.types("state plan web")
    assert shown.code == 0, shown
    assert "what was applied last: web" in shown.err
    assert next(iter(coordinator.runs.values())).modules == ("web",)
    new = coordinator.add_host("new")
    coordinator.on("GET", f"/agents/{new}/state", Reply(reports.MachineState()))
    for line, why in (("plan new", "nothing was applied"), ("apply new web --yes", "the same")):
        refused = lena.types(f"state {line}")
        assert refused.code == 2
        assert why in refused.err
        assert "--module M" in refused.err
    assert len(coordinator.runs) == 1


def test_to_plan_no_module_must_be_said(lena: Person, coordinator: FakeCoordinator) -> None:
    coordinator.add_host("web")
    assert lena.types("state plan web --no-modules").out.startswith("web: no modules\n")
    assert lena.types("state plan web --no-modules --module web").code == 2
