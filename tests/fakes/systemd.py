"""A systemd in memory: the programs `systemctl` and `journalctl` over the fake file system.

It keeps what the kinds rely on: unit files are read at daemon-reload (or when a unit is first
needed), links are read from disk when enablement is asked, starts can fail, a mask refuses them.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.reports import CapturedStream
from state_engine.ports import ProgramCall
from state_engine.resources.parts import systemd_text
from tests.fakes.ports import FakePorts, FakePrograms, Node

ETC = "/etc/systemd/system"
VENDOR = "/usr/lib/systemd/system"
FOLDERS = (
    "/etc", "/etc/systemd", ETC,
    "/run", "/run/systemd", "/run/systemd/system", "/run/systemd/units",
    "/usr", "/usr/lib", "/usr/lib/systemd", VENDOR,
)  # fmt: skip


@dataclass
class Unit:
    """What systemd holds of one unit: the text it has loaded, and its state."""

    loaded: str | None = None
    active: str = "inactive"
    # The text that the running process was started with.
    runs: str | None = None
    reloads: int = 0
    starts: int = 0


class FakeSystemd(FakePrograms):
    """`broken` names commands that fail when started, `calls` lists the verbs that change."""

    def __init__(self, ports: FakePorts) -> None:
        super().__init__()
        self.ports = ports
        self.broken: set[str] = set()
        self.units: dict[str, Unit] = {}
        self.questions = 0
        for folder in FOLDERS:
            if folder not in ports.files.nodes:
                ports.files.put(folder, Node("directory", 0o755, 0, 0))

    def run(self, call: ProgramCall) -> CapturedStream:
        assert call.script is None
        assert not call.stdin
        program, *words = call.argv
        if program == "journalctl":
            return CapturedStream(0, "first line\nlast line\n", "")
        assert program == "systemctl", call
        words = [word for word in words if not word.startswith("--no-") and word != "--"]
        verb, *rest = words
        unit = next((word for word in rest if not word.startswith("--")), "")
        assert verb == "daemon-reload" or call.argv[-2] == "--", call
        if verb == "show":
            self.questions += 1
            return CapturedStream(0, self._show(unit), "")
        if verb == "is-enabled":
            self.questions += 1
            word = self.enablement(unit)
            return CapturedStream(0 if word == "enabled" else 1, f"{word}\n", "")
        if verb == "is-active":
            return _said(0 if self.unit(unit).active == "active" else 3, "")
        self.calls.append(f"{verb} {unit}".strip())
        return self._change(verb, unit)

    def unit(self, name: str) -> Unit:
        """Return a unit, loading its file if nothing of it is loaded."""
        unit = self.units.setdefault(name, Unit())
        if unit.loaded is None:
            unit.loaded = self.text(name)
        return unit

    def text(self, name: str) -> str | None:
        """Return the unit file that counts; an empty one is a mask."""
        for folder in (ETC, VENDOR):
            node = self.ports.files.nodes.get(f"{folder}/{name}")
            if node is not None:
                return node.content.decode() if node.kind == "file" else ""
        return None

    def masked(self, name: str) -> bool:
        node = self.ports.files.nodes.get(f"{ETC}/{name}")
        return node is not None and node.kind == "symlink"

    def enablement(self, name: str) -> str:
        if self.masked(name):
            return "masked"
        text = self.text(name)
        if text is None:
            return ""
        if any(link in self.ports.files.nodes for link in self._links(name)):
            return "enabled"
        return "disabled" if _targets(text) else "static"

    def _links(self, name: str) -> list[str]:
        targets = {*_targets(self.text(name) or ""), "multi-user.target", "timers.target"}
        return [f"{ETC}/{target}.wants/{name}" for target in sorted(targets)]

    def _show(self, name: str) -> str:
        unit = self.unit(name)
        loaded = systemd_text.parse(unit.loaded or "")
        service = {key: values for (section, key), values in loaded.items() if section == "Service"}
        load = "loaded"
        if unit.loaded is None:
            load = "not-found"
        elif not unit.loaded:
            load = "masked"
        elif "ExecStart" not in service and not name.endswith(".timer"):
            load = "bad-setting"
        shown = {
            "Type": " ".join(service.get("Type", ("simple",))),
            "RemainAfterExit": " ".join(service.get("RemainAfterExit", ("no",))),
            "Result": "exit-code" if unit.active == "failed" else "success",
            "LoadState": load,
            "ActiveState": unit.active,
            "SubState": {"active": "running", "failed": "failed"}.get(unit.active, "dead"),
            "CanReload": "yes" if "ExecReload" in service else "no",
            "NeedDaemonReload": "no" if unit.loaded == self.text(name) else "yes",
        }
        return "".join(f"{key}={value}\n" for key, value in shown.items())

    def _change(self, verb: str, name: str) -> CapturedStream:
        if verb == "daemon-reload":
            self._reload_all()
            return _said(0, "")
        unit = self.unit(name)
        if verb in {"start", "restart", "try-restart"}:
            if verb == "try-restart" and unit.active != "active":
                return _said(0, "")
            return self._start(name, unit, again=verb != "start")
        if verb == "stop":
            if unit.loaded is None and unit.active == "inactive":
                return _said(5, f"Failed to stop {name}: Unit {name} not loaded.")
            unit.active, unit.runs = "inactive", None
        elif verb == "reload":
            if unit.active != "active" or "ExecReload=" not in (unit.loaded or ""):
                return _said(3, f"Failed to reload {name}: Job type reload is not applicable")
            unit.reloads += 1
        elif verb == "reset-failed":
            if unit.active != "failed":
                return _said(1, f"Unit {name} not loaded.")
            unit.active = "inactive"
        else:
            return self._links_changed(verb, name)
        return _said(0, "")

    def _start(self, name: str, unit: Unit, *, again: bool) -> CapturedStream:
        if not unit.loaded:
            return _said(5, f"Failed to start {name}: Unit {name} not found.")
        if unit.active == "active" and not again:
            return _said(0, "")
        command = " ".join(systemd_text.parse(unit.loaded).get(("Service", "ExecStart"), ()))
        if name.endswith(".timer"):
            command = "wait"
        if command in self.broken or not command:
            unit.active, unit.runs = "failed", None
            return _said(1, f"Job for {name} failed.\nSee systemctl status")
        unit.active, unit.runs = "active", unit.loaded
        unit.starts += 1
        return _said(0, "")

    def _links_changed(self, verb: str, name: str) -> CapturedStream:
        files = self.ports.files
        if verb == "mask":
            if f"{ETC}/{name}" in files.nodes:
                return _said(1, f"File {ETC}/{name} already exists.")
            files.put(f"{ETC}/{name}", Node("symlink", 0o777, 0, 0, b"/dev/null"))
        elif verb == "unmask":
            if self.masked(name):
                del files.nodes[f"{ETC}/{name}"]
        elif self.text(name) is None or (verb == "enable" and self.masked(name)):
            return _said(1, f"Unit file {name} does not exist.")
        elif verb == "enable":
            for target in _targets(self.text(name) or ""):
                folder = f"{ETC}/{target}.wants"
                files.put(folder, Node("directory", 0o755, 0, 0))
                files.put(f"{folder}/{name}", Node("symlink", 0o777, 0, 0, b"x"))
        elif verb == "disable":
            for link in self._links(name):
                files.nodes.pop(link, None)
        else:
            return _said(2, f"Unknown command verb {verb}")
        self._reload_all()
        return _said(0, "")

    def _reload_all(self) -> None:
        for name, unit in self.units.items():
            unit.loaded = self.text(name)


def _targets(text: str) -> tuple[str, ...]:
    return systemd_text.parse(text).get(("Install", "WantedBy"), ())


def _said(code: int, stderr: str) -> CapturedStream:
    return CapturedStream(code, "", stderr)


class SystemdPorts(FakePorts):
    """Fake ports whose programs are those of a fake systemd."""

    def __init__(self) -> None:
        super().__init__()
        self.systemd = FakeSystemd(self)
        self.programs = self.systemd
