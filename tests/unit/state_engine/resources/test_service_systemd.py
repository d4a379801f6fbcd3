"""The kind service-systemd: what is decided from what was found."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import Progress, fold
from state_engine.model import AppliedResource, Snapshot
from state_engine.ports import ProgramCall
from state_engine.resources.contract import Context, Difference, RunScript, WriteFile
from state_engine.resources.service_systemd import ServiceSystemd
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.systemd import ETC, VENDOR, FakeSystemd, SystemdPorts

KIND = ServiceSystemd()
UNIT = "web.service"
PLAIN = b"[Service]\nExecStart=/bin/web\n[Install]\nWantedBy=multi-user.target\n"
RELOADING = b"[Service]\nExecStart=/bin/web\nExecReload=/bin/true\n"


def host(text: bytes | None = PLAIN, active: str = "inactive") -> SystemdPorts:
    ports = SystemdPorts()
    if text is not None:
        ports.files.put(f"{VENDOR}/{UNIT}", Node("file", 0o644, 0, 0, text))
    ports.systemd.unit(UNIT).active = active
    return ports


def compared(ports: SystemdPorts, context: Context | None = None, **fields: Json) -> Difference:
    spec: dict[str, Json] = {"name": "web", **fields}
    observation = KIND.observe(spec, ports, verify=False)
    return KIND.compare(spec, observation, context or Context())


def verbs(difference: Difference, **fields: Json) -> list[str]:
    found: list[str] = []
    for step in KIND.steps({"name": "web", **fields}, difference):
        if isinstance(step, RunScript):
            found.append(step.call.argv[3])
        else:
            found.append(type(step).__name__)
    return found


@pytest.mark.parametrize(
    ("active", "triggers", "fields", "expected"),
    [
        ("active", ("reload",), {"running": True}, ["reload"]),
        ("active", ("restart",), {}, ["restart", "is-active"]),
        ("active", ("reload", "restart"), {}, ["restart", "is-active"]),
        # A start reads everything anew; what is not wished to run is left alone.
        ("inactive", ("reload",), {"running": True}, ["start", "is-active"]),
        ("failed", ("restart",), {"running": True}, ["reset-failed", "start", "is-active"]),
        ("inactive", ("reload",), {}, []),
        ("active", ("restart",), {"running": False}, ["stop"]),
        ("inactive", ("restart",), {"running": False}, []),
    ],
)
def test_what_a_trigger_does(
    active: str, triggers: tuple[str, ...], fields: dict[str, Json], expected: list[str]
) -> None:
    context = Context(triggers=triggers)  # type: ignore[arg-type]  # literals through a table
    difference = compared(host(RELOADING, active), context, **fields)
    assert verbs(difference, **fields) == expected


def test_a_reload_that_cannot_be_had_is_an_error_of_the_plan() -> None:
    difference = compared(host(PLAIN, "active"), Context(triggers=("reload",)))
    assert difference.action == "error"
    assert "use `restart_on`" in (difference.message or "")


def test_our_own_agent_does_not_wait_for_its_own_end() -> None:
    ports = SystemdPorts()
    ports.files.put(f"{VENDOR}/standfast-agent.service", Node("file", 0o644, 0, 0, PLAIN))
    ports.systemd.unit("standfast-agent.service").active = "active"
    spec: dict[str, Json] = {"name": "standfast-agent"}
    observation = KIND.observe(spec, ports, verify=False)
    difference = KIND.compare(spec, observation, Context(triggers=("restart",)))
    (step,) = KIND.steps(spec, difference)
    assert isinstance(step, RunScript)
    assert "--no-block" in step.call.argv


def test_a_decision_binds_what_is_lost_and_not_the_way_already_gone() -> None:
    """A package may start the unit after the plan; an edited unit or a started one is another."""

    def state(ports: SystemdPorts, **fields: Json) -> Json:
        return KIND.observe({"name": "web", **fields}, ports, verify=False).state()

    wished: dict[str, Json] = {"running": True, "enabled": True}
    assert state(host(None), **wished) == state(host(PLAIN, "active"), **wished)
    stopped: dict[str, Json] = {"running": False}
    assert state(host(), **stopped) != state(host(PLAIN, "active"), **stopped)
    ports = host(None)
    before = state(ports, exec_start="/bin/web")
    ports.files.put(f"{ETC}/{UNIT}", Node("file", 0o644, 0, 0, b"[Service]\n"))
    assert state(ports, exec_start="/bin/web") != before


def test_a_written_unit_is_loaded_before_it_is_started() -> None:
    fields: dict[str, Json] = {"exec_start": "/bin/web", "enabled": True, "running": True}
    difference = compared(host(None), **fields)
    assert difference.action == "create"
    assert verbs(difference, **fields) == [
        "WriteFile", "daemon-reload", "enable", "start", "is-active",
    ]  # fmt: skip
    (write, *_) = KIND.steps({"name": "web", **fields}, difference)
    assert isinstance(write, WriteFile)
    assert (write.path, write.mode, write.owner) == (f"{ETC}/{UNIT}", 0o644, "root")


def test_absence_stops_and_disables_before_it_deletes() -> None:
    ports = host(None)
    ports.files.put(f"{ETC}/{UNIT}", Node("file", 0o644, 0, 0, PLAIN))
    ports.systemd.unit(UNIT).active = "active"
    ports.systemd.unit(UNIT).loaded = PLAIN.decode()
    difference = compared(ports, ensure="absent")
    assert difference.action == "update"
    assert verbs(difference, ensure="absent") == ["stop", "RemoveFile", "daemon-reload"]


def test_an_adopted_unit_outlives_its_resource() -> None:
    """It was there before us: what it does is nobody's to take back."""
    spec: dict[str, Json] = {"name": "web", "running": True}
    applied = AppliedResource(resource("service-systemd", "web", spec))
    undo = KIND.undo(spec, KIND.observe(spec, host(), verify=False), applied)
    assert (undo.steps, undo.message) == ((), "kept as it is: the unit was there before us")


def test_what_no_service_can_be_told_is_refused() -> None:
    """A failed look does not start anything, and a wrong observation is a bug."""
    assert compared(host(RELOADING), enabled=True).action == "error"
    oneshot = b"[Service]\nType=oneshot\nExecStart=/bin/web\n"
    assert compared(host(oneshot), running=True).action == "error"
    with pytest.raises(TypeError):
        KIND.compare({"name": "web"}, None, Context())


class Hanging(FakeSystemd):
    """Restarts nothing while `hangs`."""

    hangs = False

    def run(self, call: ProgramCall) -> CapturedStream:
        if self.hangs and "restart" in call.argv:
            return CapturedStream(1, "", "Job for web.service canceled.")
        return super().run(call)


def hanging() -> tuple[SystemdPorts, Hanging]:
    ports = SystemdPorts()
    systemd = Hanging(ports)
    ports.systemd = ports.programs = systemd
    return ports, systemd


def test_a_restart_that_was_due_is_made_up_for() -> None:
    """The unit was written, and the apply ended before what runs was started anew."""
    ports, systemd = hanging()
    old, new = (
        resource(
            "service-systemd",
            "web",
            {"name": "web", "exec_start": f"/bin/{word}", "running": True},
        )
        for word in ("old", "new")
    )
    snapshot = apply_plan("1", "n", [old], Snapshot(), ports, approved=None).snapshot
    assert "/bin/old" in (ports.systemd.unit(UNIT).runs or "")
    systemd.hangs = True
    failed = apply_plan("2", "n", [new], snapshot, ports, approved=None)
    assert failed.result.status == "failed"
    systemd.hangs = False
    [item] = make_plan("n", [new], failed.snapshot, ports).resources
    assert [change.field for change in item.changes] == ["restart"]
    after = apply_plan("3", "n", [new], failed.snapshot, ports, approved=None)
    assert after.result.status == "succeeded"
    assert "/bin/new" in (ports.systemd.unit(UNIT).runs or "")
    assert make_plan("n", [new], after.snapshot, ports).summary.none == 1


def test_a_restart_is_made_up_for_after_a_kill_too() -> None:
    """What the interrupted apply had noted of its own is not taken for what runs."""
    ports, systemd = hanging()
    old, new = (
        resource(
            "service-systemd",
            "web",
            {"name": "web", "exec_start": f"/bin/{word}", "running": True},
        )
        for word in ("old", "new")
    )
    snapshot = apply_plan("1", "n", [old], Snapshot(), ports, approved=None).snapshot
    told: list[Progress] = []
    systemd.hangs = True
    apply_plan("2", "n", [new], snapshot, ports, approved=None, progress=told.append)
    systemd.hangs = False
    apply_plan("2", "n", [new], snapshot, ports, approved=None, resume=fold(told[:1]))
    assert "/bin/new" in (ports.systemd.unit(UNIT).runs or "")
