"""`standfast state`: from a file to a signed apply, against a coordinator on a real socket."""

from __future__ import annotations

import msgspec
import pytest

from protocol import api, decisions, dsse, reports
from tests.fakes.api_server import FakeCoordinator, Reply, item
from tests.fakes.operator import Person

DIFF = reports.Change("content", diff=("@@ -1 +1 @@", "-workers 512;", "+workers 2048;"))


def test_a_plan_groups_hosts_and_ends_with_the_next_command(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """Nine hosts with one change show it once; the last line can be pasted."""
    for number in range(9):
        coordinator.add_host(f"web-{number}", item("/etc/nginx.conf", "update", (DIFF,)))
    coordinator.add_host("db", item("/srv/a", "create"), item("/etc/same", "none"))
    names = " ".join(agent.name or "" for agent in coordinator.agents)
    shown = lena.types(f"state plan {names} --module web")
    assert shown.code == 0, shown
    assert shown.out.count("+workers 2048;") == 1
    assert "9 hosts  ~ file-unix  /etc/nginx.conf" in shown.out
    assert "1 host   + file-unix  /srv/a" in shown.out
    assert "= 1 resource unchanged" in shown.out
    assert "Plan: 1 to add, 9 to change, 0 to remove on 10 hosts." in shown.out
    run_id = next(iter(coordinator.runs))
    assert shown.out.rstrip().endswith(f"standfast approve {run_id}")
    assert "\x1b" not in shown.out


def test_an_apply_signs_what_was_shown_and_reports_each_resource(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The decision names the hosts, and carries the hash computed from the plans shown."""
    node = coordinator.add_host("web", item("/etc/a", "update", (DIFF,)))
    shown = lena.types("state apply web --module web --yes")
    assert shown.code == 0, shown
    [decision] = coordinator.decisions
    root, _ = decisions.plan_tree({node: coordinator.plans[node].digest})
    action = decisions.apply_action(root, 0)
    assert decision.action_hash == decisions.canonical_hash(action)
    assert decision.nodes == (node,)
    assert decision.expires_at - decision.not_before == 3_600
    assert "~ changed" in shown.out
    assert "1 of 1 host succeeded" in shown.out


def test_nothing_is_started_until_the_person_says_yes(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A no leaves no apply run behind."""
    coordinator.add_host("web", item("/etc/a"))
    shown = lena.types("state apply web --module web", answer="n\n")
    assert shown.code == 1
    assert [run.step for run in coordinator.runs.values()] == ["state.plan"]
    assert lena.types("state apply web --module web", answer="y\n").code == 0


def test_a_pipe_is_not_asked(lena: Person, coordinator: FakeCoordinator) -> None:
    """Without --yes a script gets a usage error that names the flag."""
    coordinator.add_host("web", item("/etc/a"))
    shown = lena.types("state apply web --module web")
    assert shown.code == 2
    assert "--yes" in shown.err
    assert not coordinator.decisions


def test_a_plan_without_changes_is_done_at_once(lena: Person, coordinator: FakeCoordinator) -> None:
    """Nothing to change means nothing to sign."""
    coordinator.add_host("web", item("/etc/a", "none"))
    shown = lena.types("state apply web --module web")
    assert shown.code == 0, shown
    assert "Nothing to do" in shown.out
    assert not coordinator.decisions


def test_removals_need_their_number(lena: Person, coordinator: FakeCoordinator) -> None:
    """A plan that removes is not signed unless the operator says how much may go."""
    coordinator.add_host("web", item("/etc/a", "remove"), item("/etc/b", "remove"))
    refused = lena.types("state apply web --module web --yes")
    assert refused.code == 2
    assert "--removal-limit 2" in refused.err
    assert not coordinator.decisions
    assert lena.types("state apply web --module web --yes --removal-limit 2").code == 0


def test_a_failed_resource_is_exit_code_5(lena: Person, coordinator: FakeCoordinator) -> None:
    """A script can tell a host that failed from a command that failed."""
    coordinator.add_host("web", item("/etc/a"))
    coordinator.outcome = "failed"
    shown = lena.types("state apply web --module web --yes")
    assert shown.code == 5
    assert "standfast why web" in shown.out


@pytest.mark.parametrize(("action", "code"), [("update", 6), ("none", 0)])
def test_pending_changes_are_exit_code_6_if_asked_for(
    lena: Person, coordinator: FakeCoordinator, action: reports.Action, code: int
) -> None:
    """--detailed-exitcode tells a pipeline whether there is anything to do."""
    coordinator.add_host("web", item("/etc/a", action))
    assert lena.types("state plan web --detailed-exitcode").code == code
    assert lena.types("state plan web").code == 0


def test_a_plan_as_json_has_a_stable_shape_and_masks_secrets(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The document holds what a reviewer needs, and never a sensitive value."""
    secret = reports.Change("content", "hunter1", "hunter2", sensitive=True, diff=("-hunter1",))
    node = coordinator.add_host("web", item("/etc/a", "update", (secret,)))
    shown = lena.types("state plan web --json")
    document = shown.document()
    assert set(document) == {
        "run_id", "modules", "summary", "changes", "plan_root", "action_hash",
        "removal_limit", "hosts", "next",
    }  # fmt: skip
    assert node in shown.out
    assert "hunter" not in shown.out
    assert "hunter" not in lena.types("state plan web").out


def test_a_host_without_a_plan_stops_an_apply(lena: Person, coordinator: FakeCoordinator) -> None:
    """Who cannot be planned cannot be approved; the plan of the others is still shown."""
    coordinator.add_host("web", item("/etc/a"))
    coordinator.add_host("away", item("/etc/a"))

    def lose(run: api.Run) -> api.Run:
        steps = tuple(
            msgspec.structs.replace(step, phase="expired", result=None, message="not connected")
            if step.name == "away"
            else step
            for step in run.steps
        )
        return msgspec.structs.replace(run, steps=steps)

    coordinator.bend = lose
    planned = lena.types("state plan web away")
    assert planned.code == 5
    assert "away gave no plan (expired: not connected)" in planned.out
    assert lena.types("state apply web away --yes").code == 1
    assert not coordinator.decisions


def test_upload_signs_the_exact_bytes(lena: Person, coordinator: FakeCoordinator) -> None:
    """The envelope holds the file as it lies there, signed by the operator."""
    path = lena.directory.parent / "web.ordo.yaml"
    content = "# first\nname: 'web' # the web\nresources: []\n"
    path.write_text(content)
    digest = reports.content_digest(content.encode())
    coordinator.on("POST", "/modules", Reply(api.Module("web", 0, "lena", digest), 201))
    shown = lena.types(f"state upload {path}")
    assert shown.code == 0, shown
    assert "state plan NODE --module web" in shown.out
    sent = msgspec.json.decode(
        coordinator.sent("POST", "/modules")[0].body, type=api.UploadModuleRequest
    )
    assert sent.name == "web"
    assert sent.envelope is not None
    assert sent.envelope.payload_type == dsse.MODULE
    assert sent.envelope.content() == content.encode()
    assert "idempotency-key" in coordinator.sent("POST", "/modules")[0].headers


def test_drift_is_shown_and_counted(lena: Person, coordinator: FakeCoordinator) -> None:
    """A look on demand shows what changed outside, and exits with 6 if asked to."""
    node = coordinator.add_host("web")
    record = reports.DriftRecord(
        "d1", node, "manual", 1.5, "drifted", resources=(item("/etc/a", "update", (DIFF,)),)
    )

    def drifted(run: api.Run) -> api.Run:
        built: object = msgspec.to_builtins(record)
        steps = tuple(msgspec.structs.replace(step, result=built) for step in run.steps)
        return msgspec.structs.replace(run, steps=steps)

    coordinator.bend = drifted
    shown = lena.types("state drift web --detailed-exitcode")
    assert shown.code == 6, shown
    assert "! file-unix  /etc/a  [web]  changed outside" in shown.out
    assert "standfast state apply web --module web" in shown.out
    coordinator.on("GET", f"/agents/{node}/drift", Reply(api.DriftPage((record,))))
    coordinator.on("GET", "/drift/d1", Reply(record))
    assert lena.types("state drift-list").rows[0][:4] == ["d1", "web", "drifted", "1"]
    assert lena.types("state drift-show d1").code == 0


def test_operations_state_and_output_are_shown(lena: Person, coordinator: FakeCoordinator) -> None:
    """What was done is found again by its id."""
    node = coordinator.add_host("web")
    result = reports.ResourceResult("web", "script", "/x", "run", "failed", error="exit 3")
    done = api.Operation("op1", "apply", node, "lena", ("web",), 5, 6, "failed", (result,))
    coordinator.on("GET", "/state/operations", Reply(api.OperationPage((done,), 1, 50, 0)))
    coordinator.on("GET", "/state/operations/op1", Reply(done))
    held = reports.MachineState(applied=(reports.AppliedSummary("web", "file-unix", "/etc/a"),))
    coordinator.on("GET", f"/agents/{node}/state", Reply(held))
    ran = reports.ScriptOutput(apply=reports.CapturedStream(3, "out\x1b[2J\n", ""))
    path = f"/agents/{node}/state/operations/op1/output"
    coordinator.on("GET", path, Reply({"output": {"web/x": ran}}))
    assert lena.types("state list").rows[0][:3] == ["op1", "web", "failed"]
    assert "exit 3" in lena.types("state show op1").out
    assert lena.types("state query web").rows == [["applied", "web", "file-unix", "/etc/a"]]
    printed = lena.types("state output op1").out
    assert "web/x apply: exit 3" in printed
    assert "\x1b" not in printed
    assert lena.types("state show nowhere").code == 4


def test_a_selector_is_resolved_before_the_plan(lena: Person, coordinator: FakeCoordinator) -> None:
    """--on gives the run explicit nodes, never a selector."""
    node = coordinator.add_host("web", item("/etc/a"))
    assert lena.types("state plan --on role=web").code == 0
    sent = msgspec.json.decode(coordinator.sent("POST", "/runs")[0].body, type=api.RunRequest)
    assert sent.nodes == (node,)
    assert sent.selector is None
    assert coordinator.sent("GET", "/agents")[0].query == {
        "status": "approved", "filter": "role=web"
    }  # fmt: skip


def test_a_rollback_is_planned_where_the_operation_was_and_signed_as_any_plan(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """What stays is shown with why; the signature allows just the removals of the plan."""
    stays = item("/etc/b", "none", message="stays: its old content held a secret")
    node = coordinator.add_host("web", item("/srv/new", "remove"), stays)
    operation = api.Operation("op-1", "apply", node, "lena", ("web",), 1, 2, "succeeded")
    coordinator.on("GET", "/state/operations/op-1", Reply(operation))
    shown = lena.types("state rollback op-1 --plan")
    assert shown.code == 0, shown
    assert "/etc/b  [web]  stays: its old content held a secret" in shown.out
    assert "- file-unix  /srv/new" in shown.out
    assert not coordinator.decisions
    shown = lena.types("state rollback op-1 --yes")
    assert shown.code == 0, shown
    asked = [
        msgspec.json.decode(one.body, type=api.RunRequest)
        for one in coordinator.sent("POST", "/runs")
    ]
    assert [one.rollback_of for one in asked] == ["op-1", "op-1", None]
    assert asked[2].plan_run_id is not None
    [decision] = coordinator.decisions
    root, _ = decisions.plan_tree({node: coordinator.plans[node].digest})
    assert decision.action_hash == decisions.canonical_hash(decisions.apply_action(root, 1))
    assert lena.types("state rollback none").code == 4
