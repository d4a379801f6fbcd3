"""Per resource, what became of it; and where to look when it went wrong."""

from __future__ import annotations

import msgspec
import pytest

from client.render.results import apply_result, run_lines, succeeded
from protocol.api import Run, RunStep, StepPhase
from protocol.canonical import Json

RESULT: dict[str, Json] = {
    "operation_id": "o", "node_id": "n", "modules": [], "status": "failed",
    "started_at": 1, "finished_at": 2, "error": "one resource failed",
    "resources": [
        {"module": "web", "type": "file-unix", "identity": "/a", "action": "update",
         "status": "changed", "duration_ms": 12},
        {"module": "web", "type": "script", "identity": "/b", "action": "run",
         "status": "failed", "error": "exit 3"},
        {"module": "web", "type": "script", "identity": "/c", "action": "none",
         "status": "unchanged"},
    ],
}  # fmt: skip


def run(phase: StepPhase, result: Json = None) -> Run:
    step = RunStep("n", "web", phase, "o", reason="replayed", message="used up", result=result)
    done = "completed" if phase == "succeeded" else "failed"
    return Run("r1", "state.apply", done, "s", "t", "lena", (), (step,))


def test_each_resource_that_did_something_has_its_line() -> None:
    shown = "\n".join(
        "".join(span.text for span in one) for one in run_lines(run("failed", RESULT))
    )
    assert "1 unchanged, 1 changed, 1 failed" in shown
    assert "~ changed     file-unix  /a  [web]  12 ms" in shown
    assert "! failed      script  /b  [web]  exit 3" in shown
    assert "/c" not in shown
    assert "one resource failed" in shown
    assert "next: standfast why web" in shown
    assert "0 of 1 host succeeded" in shown


@pytest.mark.parametrize(("phase", "good"), [("succeeded", True), ("refused", False)])
def test_success_is_every_host(phase: StepPhase, good: bool) -> None:
    assert succeeded(run(phase)) is good


@pytest.mark.parametrize("document", [None, {}, {"plan": 1}, [1], "x"])
def test_something_else_is_no_apply_result(document: Json) -> None:
    assert apply_result(run("succeeded", document).steps[0]) is None


def test_a_host_that_changed_is_planned_again() -> None:
    """Nothing is to be explained there: the next command is the plan, with the run's modules."""
    stale: dict[str, Json] = {
        "module": "web", "type": "script", "identity": "/b", "action": "run", "status": "stale",
    }  # fmt: skip
    made = run("failed", {**RESULT, "resources": [stale]})
    made = msgspec.structs.replace(made, modules=("web", "db"))
    shown = "\n".join("".join(span.text for span in one) for one in run_lines(made))
    assert "next: standfast state plan web --module web --module db" in shown
