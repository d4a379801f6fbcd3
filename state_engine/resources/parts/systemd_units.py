"""What units share whatever their kind: where their files lie, one look, and systemctl's verbs.

Nothing here decides what a unit should be; no shell is involved anywhere.
"""

from __future__ import annotations

import msgspec

from state_engine.ports import FileType, PortError, Ports, ProgramCall, Stat
from state_engine.resources.contract import RunScript

TARGET = "multi-user.target"
UNIT_MODE = 0o644
# A unit file of more than this is not one that we wrote.
MAX_UNIT = 1_048_576
# What a failed start may show of the service's own words.
LOG_LINES = 5
# A start takes the unit's own TimeoutStartSec, 90 s by default and longer where it says so.
START_TIMEOUT = 600.0
LOOK_TIMEOUT = 30.0
ENABLED = frozenset({"enabled", "alias"})
NOT_ENABLED = frozenset({
    "", "disabled", "static", "indirect", "generated", "linked", "linked-runtime", "transient",
    "masked", "masked-runtime", "bad", "not-found",
})  # fmt: skip
BAD = frozenset({"bad-setting", "error"})
_RUNNING = frozenset({"active", "reloading", "refreshing"})
_VENDOR = ("usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "Result", "Type", "RemainAfterExit", "CanReload",
    "NeedDaemonReload",
)  # fmt: skip


class UnitLook(msgspec.Struct, frozen=True):
    """One unit as the host has it.

    `enablement` is systemd's word, "" for a unit it does not know, None if it was not asked.
    `place` is what stands where our unit file would, `text` its content if it is a regular file.
    `log` holds the last lines of a service that has failed.
    """

    load: str
    active: str
    sub: str
    result: str = ""
    type: str = ""
    remains: bool = False
    can_reload: bool = False
    outdated: bool = False
    enablement: str | None = None
    place: FileType | None = None
    stat: Stat | None = None
    text: str | None = None
    vendor: bool = False
    log: str = ""

    @property
    def running(self) -> bool:
        """Say whether it runs, or is being started; one that waits to be tried again does not."""
        starting = self.active == "activating" and self.sub != "auto-restart"
        return self.active in _RUNNING or starting

    @property
    def masked(self) -> bool:
        """Say whether systemd refuses to start it."""
        if self.enablement is not None:
            return self.enablement.startswith("masked")
        return self.load == "masked"

    @property
    def enabled(self) -> bool:
        """Say whether it is started at boot, also after the next one."""
        return self.enablement in ENABLED

    @property
    def known(self) -> bool:
        """Say whether there is a unit of this name at all, be it behind a mask."""
        if self.masked:
            return self.vendor or self.place == "file"
        return self.load != "not-found" or self.place is not None


def unit_path(root: str, unit: str) -> str:
    """Return where the unit files of this host's own lie."""
    return f"{root}etc/systemd/system/{unit}"


def watched(root: str, unit: str, target: str = TARGET) -> tuple[str, ...]:
    """Return the paths that change with the unit's text, its enablement, its start and its end.

    systemd keeps a link in /run/systemd/units from the start of a unit to its end.
    """
    return (
        unit_path(root, unit),
        f"{root}etc/systemd/system/{target}.wants/{unit}",
        f"{root}run/systemd/units/invocation:{unit}",
    )


def look(ports: Ports, root: str, unit: str, *, enablement: bool) -> UnitLook:
    """Ask systemd once what the unit does, and only if wanted whether it is enabled.

    The second question reads the links on disk, which the first answer may be older than.

    Raises:
        PortError: systemd does not run here, or does not answer.
    """
    if ports.files.stat(f"{root}run/systemd/system") is None:
        raise PortError("systemd does not run on this host")
    path = unit_path(root, unit)
    stat = ports.files.stat(path)
    text: str | None = None
    if stat is not None and stat.type == "file":
        text = ports.files.read(path, MAX_UNIT).decode(errors="replace")
    found = _shown(ports, unit)
    linked = stat is not None and stat.type == "symlink"
    word: str | None = None
    if enablement or linked or found.get("LoadState") == "masked":
        # Its exit code only repeats the word.
        word = _ask(ports, ("is-enabled",), unit).strip()
    failed = found.get("ActiveState") == "failed" or found.get("SubState") == "auto-restart"
    return UnitLook(
        load=found.get("LoadState", ""),
        active=found.get("ActiveState", ""),
        sub=found.get("SubState", ""),
        result=found.get("Result", ""),
        type=found.get("Type", ""),
        remains=found.get("RemainAfterExit") == "yes",
        can_reload=found.get("CanReload") == "yes",
        outdated=found.get("NeedDaemonReload") == "yes",
        enablement=word,
        place=None if stat is None else stat.type,
        stat=stat,
        text=text,
        vendor=any(ports.files.stat(f"{root}{place}/{unit}") for place in _VENDOR),
        log=_log(ports, unit) if failed else "",
    )


def systemctl(*words: str, unit: str | None = None) -> RunScript:
    """Return a step that runs systemctl; one that fails quotes the unit's last log lines."""
    target = () if unit is None else ("--", unit)
    argv = ("systemctl", "--no-ask-password", "--no-pager", *words, *target)
    explain = None if unit is None else log_call(unit)
    return RunScript(ProgramCall(argv, timeout=START_TIMEOUT), "apply", explain)


def log_call(unit: str) -> ProgramCall:
    """Return the call that prints a unit's last log lines."""
    argv = ("journalctl", "--no-pager", "--quiet", "--output=cat", f"--lines={LOG_LINES}")
    return ProgramCall((*argv, f"--unit={unit}"), timeout=LOOK_TIMEOUT, keep=4096)


def started(unit: str, before: str) -> tuple[RunScript, ...]:
    """Return the steps that start a unit; `before` is the state it was in."""
    # After too many failures in a row systemd refuses a start until that is forgotten.
    again = (systemctl("reset-failed", unit=unit),) if before == "failed" else ()
    # For some types a start succeeds before the program is even found.
    return (*again, systemctl("start", unit=unit), systemctl("is-active", unit=unit))


def _shown(ports: Ports, unit: str) -> dict[str, str]:
    text = _ask(ports, ("show", f"--property={','.join(_PROPERTIES)}"), unit)
    pairs = (line.partition("=") for line in text.split("\n"))
    found = {key: value for key, equals, value in pairs if equals}
    if "LoadState" not in found:
        raise PortError(f"systemd says nothing about {unit}")
    return found


def _ask(ports: Ports, words: tuple[str, ...], unit: str) -> str:
    argv = ("systemctl", "--no-pager", *words, "--", unit)
    captured = ports.programs.run(ProgramCall(argv, timeout=LOOK_TIMEOUT, keep=65_536))
    if captured.exit and words[0] == "show":
        raise PortError(f"systemd does not answer: {captured.stderr.strip()[-200:]}")
    return captured.stdout


def _log(ports: Ports, unit: str) -> str:
    try:
        return ports.programs.run(log_call(unit)).stdout.strip()
    except PortError:  # a host without journalctl has no log to show
        return ""
