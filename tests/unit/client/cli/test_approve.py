"""`standfast approve`: a plan or a waiting run, yes or no."""

from __future__ import annotations

import msgspec

from tests.fakes.api_server import FakeCoordinator, Reply, item
from tests.fakes.operator import Person


def planned(lena: Person, coordinator: FakeCoordinator, action: str = "update") -> str:
    coordinator.add_host("web", item("/etc/a", "remove" if action == "remove" else "update"))
    assert lena.types("state plan web --module web").code == 0
    return next(iter(coordinator.runs))


def test_a_plan_is_approved_by_the_command_that_it_printed(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """What `state plan` printed can be pasted, also where something is removed."""
    coordinator.add_host("web", item("/etc/a", "remove"))
    shown = lena.types("state plan web --module web")
    command = shown.out.rstrip().rpartition("standfast ")[2]
    assert "--removal-limit 1" in command
    done = lena.types(f"{command} --yes --comment fine")
    assert done.code == 0, done
    [decision] = coordinator.decisions
    assert decision.comment == "fine"


def test_a_waiting_run_of_somebody_else_is_shown_before_it_is_signed(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The plan comes first, then the question; a no signs nothing."""
    run_id = planned(lena, coordinator)
    nodes = [agent.node_id for agent in coordinator.agents]
    body = {"step": "state.apply", "nodes": nodes, "plan_run_id": run_id, "modules": ["web"]}
    request = msgspec.structs.replace(coordinator.requests[-1], body=msgspec.json.encode(body))
    waiting = coordinator._create_run(request).value
    waiting_id = next(run for run in coordinator.runs if run != run_id)
    assert waiting is coordinator.runs[waiting_id]
    refused = lena.types(f"approve {waiting_id}", answer="n\n")
    assert refused.code == 1
    assert "~ file-unix  /etc/a" in refused.out
    assert not coordinator.decisions
    assert lena.types(f"approve {waiting_id} --yes").code == 0
    again = lena.types(f"approve {waiting_id} --yes")
    assert again.code == 1
    assert "does not wait for approval" in again.err


def test_a_no_is_signed_too(lena: Person, coordinator: FakeCoordinator) -> None:
    """A deny carries the same hash and ends the run."""
    run_id = planned(lena, coordinator)
    nodes = [agent.node_id for agent in coordinator.agents]
    body = {"step": "state.apply", "nodes": nodes, "plan_run_id": run_id}
    request = msgspec.structs.replace(coordinator.requests[-1], body=msgspec.json.encode(body))
    coordinator._create_run(request)
    waiting = next(run for run in coordinator.runs if run != run_id)
    assert lena.types(f"approve {waiting} --deny").code == 2
    shown = lena.types(f"approve {waiting} --deny --yes --comment no")
    assert shown.code == 0, shown
    assert [one.verdict for one in coordinator.decisions] == ["deny"]
    assert "it is denied" in shown.out
    assert lena.types(f"approve {run_id} --deny --yes").code == 1


def test_what_cannot_be_approved_says_so(lena: Person, coordinator: FakeCoordinator) -> None:
    """An unknown run, a comment that is too long, a run that is no plan."""
    run_id = planned(lena, coordinator)
    assert lena.types("approve 01NOWHERE --yes").code == 4
    assert lena.types(f"approve {run_id} --yes --comment {'x' * 1025}").code == 2
    drift = msgspec.structs.replace(coordinator.runs[run_id], step="state.drift")
    coordinator.on("GET", "/runs/d", Reply(drift))
    assert lena.types("approve d --yes").code == 1


def test_sign_and_leave_names_the_run_that_goes_on(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """With --no-wait nothing is asked of the run after the signature; its id is the answer."""
    run_id = planned(lena, coordinator)
    done = lena.types(f"approve {run_id} --yes --no-wait --json")
    assert done.code == 0, done
    answer = done.document()
    assert answer["run_id"] in coordinator.runs
    assert answer["run_id"] != run_id
    assert answer["phase"] == "completed"
    assert len(coordinator.decisions) == 1
    assert coordinator.requests[-1].path.endswith("/decisions")
    spoken = lena.types("state apply web --module web --yes --no-wait").out
    assert f"next: standfast runs show {list(coordinator.runs)[-1]}" in spoken
