"""Carrying out steps through the ports. Deciding on steps is the kinds' work."""

from __future__ import annotations

import hashlib
from typing import assert_never

from protocol.reports import CapturedStream
from state_engine.engine.certificate_files import make_certificate
from state_engine.engine.scrub import Scrub, scrub_captured, unchanged
from state_engine.engine.unpack import unpack
from state_engine.ports import PortError, Ports, ProgramCall
from state_engine.resources.contract import (
    PLACEHOLDER,
    EditFile,
    MakeCertificate,
    MakeDirectory,
    MakeSymlink,
    RemoveDirectory,
    RemoveFile,
    RestoreFile,
    RunScript,
    SetAttributes,
    Step,
    Unpack,
    WriteFile,
    WriteSource,
)
from state_engine.resources.parts.accounts import gid_of, uid_of

DEFAULT_FILE_MODE = 0o644
DEFAULT_DIRECTORY_MODE = 0o755
# A program that checks one file of configuration takes a second or two.
CHECK_TIMEOUT = 60.0
# A few log lines: an error is read in one go, and travels with every result.
MAX_EXPLAINED = 1_000


class Outcome:
    """What carrying out steps has brought: whether anything changed, and captured output.

    `scrub` takes secrets out of output before any of it is cut to a line of an error.
    """

    def __init__(self, scrub: Scrub = unchanged) -> None:
        self.scrub = scrub
        self.changed = False
        self.captured: dict[str, CapturedStream] = {}


def carry_out(steps: tuple[Step, ...], ports: Ports, outcome: Outcome) -> None:
    """Do the steps in order, noting in `outcome` what was done so far.

    Raises:
        PortError: a step failed; the steps before it are done.
    """
    for step in steps:
        if _one(step, ports, outcome):
            outcome.changed = True


def _one(step: Step, ports: Ports, outcome: Outcome) -> bool:
    """Say whether there was anything to do."""
    match step:
        case WriteFile() | WriteSource():
            _write(step, ports, outcome)
        case EditFile():
            _edit(step, ports, outcome)
        case RestoreFile():
            _restore(step, ports)
        case MakeDirectory() | MakeSymlink():
            _make(step, ports)
        case SetAttributes():
            _set_attributes(step, ports)
        case MakeCertificate():
            uid, gid = _owner(step.owner, ports), _group(step.group, ports)
            make_certificate(step, ports, uid, gid)
        case Unpack():
            uid, gid = _owner(step.owner, ports), _group(step.group, ports)
            return unpack(step, ports, uid, gid)
        case RemoveFile() | RemoveDirectory():
            return _remove(step, ports)
        case RunScript():
            outcome.changed = True
            _run(step, ports, outcome)
        case _:
            assert_never(step)
    return True


def _edit(step: EditFile, ports: Ports, outcome: Outcome) -> None:
    found = ports.files.stat(step.path)
    digest = None if found is None else ports.files.digest(step.path, verify=True)
    if digest != step.expected:
        raise PortError(f"{step.path} was changed meanwhile; plan again")
    _write(step, ports, outcome)


def _write(step: WriteFile | WriteSource | EditFile, ports: Ports, outcome: Outcome) -> None:
    # Fetched before anything is looked at: it may take a minute.
    content = _content(step, ports)
    existing = ports.files.stat(step.path)
    mode, uid, gid = DEFAULT_FILE_MODE, -1, -1
    if existing is not None:
        mode, uid, gid = existing.mode, existing.uid, existing.gid
        # Permission bits that the module does not name survive; a privilege never does.
        mode &= 0o777
    mode = mode if step.mode is None else step.mode
    uid = uid if step.owner is None else _owner(step.owner, ports)
    gid = gid if step.group is None else _group(step.group, ports)
    check = () if isinstance(step, EditFile) else step.check

    def accept(candidate: str) -> None:
        argv = tuple(argument.replace(PLACEHOLDER, candidate) for argument in check)
        call = ProgramCall(argv, timeout=CHECK_TIMEOUT)
        captured = scrub_captured(ports.programs.run(call), outcome.scrub)
        outcome.captured["check"] = captured
        if captured.exit != 0:
            raise PortError(f"{step.path} stays as it is: {_failure('its check', captured, call)}")

    ports.files.write(step.path, content, mode, uid, gid, accept if check else None)


def _content(step: WriteFile | WriteSource | EditFile, ports: Ports) -> bytes:
    if not isinstance(step, WriteSource):
        return step.content
    content = ports.sources.fetch(step.url, step.sha256)
    # A port that has not checked must not get its content into place.
    if hashlib.sha256(content).hexdigest() != step.sha256:
        raise PortError(f"what {step.url} holds is not {step.sha256}")
    return content


def _make(step: MakeDirectory | MakeSymlink, ports: Ports) -> None:
    uid, gid = _owner(step.owner, ports), _group(step.group, ports)
    if isinstance(step, MakeDirectory):
        mode = DEFAULT_DIRECTORY_MODE if step.mode is None else step.mode
        ports.files.make_directory(step.path, mode, uid, gid)
        return
    existing = ports.files.stat(step.path)
    if existing is not None:  # an owner that is not managed stays
        uid = existing.uid if step.owner is None else uid
        gid = existing.gid if step.group is None else gid
    ports.files.make_symlink(step.path, step.target, uid, gid)


def _remove(step: RemoveFile | RemoveDirectory, ports: Ports) -> bool:
    if isinstance(step, RemoveDirectory) and not ports.files.is_empty(step.path):
        return False
    if isinstance(step, RemoveFile) and step.backup:
        ports.backups.keep(step.path)
    ports.files.remove(step.path)
    return True


def _restore(step: RestoreFile, ports: Ports) -> None:
    content = ports.backups.content(step.digest)
    # What stands there now may hold someone's edits: keep it, as the old content was kept.
    if step.keep:
        ports.backups.keep(step.path)
    mode = DEFAULT_FILE_MODE if step.mode is None else step.mode
    uid = -1 if step.owner is None else step.owner
    gid = -1 if step.group is None else step.group
    ports.files.write(step.path, content, mode, uid, gid)
    if ports.files.digest(step.path, verify=True) != step.digest:
        raise PortError(f"{step.path} does not hold the restored content")


def _set_attributes(step: SetAttributes, ports: Ports) -> None:
    if step.owner is not None or step.group is not None:
        uid, gid = _owner(step.owner, ports), _group(step.group, ports)
        # This clears set-uid and set-gid, and only a mode that the module names brings them back:
        # else `owner: root` would turn a user's own set-uid program into root's.
        ports.files.set_owner(step.path, uid, gid)
    if step.mode is not None:
        ports.files.set_mode(step.path, step.mode)


def _run(step: RunScript, ports: Ports, outcome: Outcome) -> None:
    captured = scrub_captured(ports.programs.run(step.call), outcome.scrub)
    # The script may have made the user that a later item names.
    ports.accounts.forget()
    outcome.captured[step.phase] = captured
    if captured.exit != 0:
        raise PortError(
            _failure(step.phase, captured, step.call) + _explained(step, ports, outcome)
        )


def _failure(what: str, captured: CapturedStream, call: ProgramCall) -> str:
    reason = f"exit {captured.exit}"
    if captured.exit == 124:
        reason += f" (124 is also a run longer than {call.timeout:g} s)"
    last = captured.stderr.strip().rpartition("\n")[2][:200]
    return f"{what} failed: {reason}" + (f": {last}" if last else "")


def _explained(step: RunScript, ports: Ports, outcome: Outcome) -> str:
    """Return what the step's explanation adds to its error; one that cannot be had adds nothing."""
    if step.explain is None:
        return ""
    try:
        text = scrub_captured(ports.programs.run(step.explain), outcome.scrub).stdout.strip()
    except PortError:
        return ""
    return f"; its last words: {text[-MAX_EXPLAINED:]}" if text else ""


def _owner(name: str | None, ports: Ports) -> int:
    if name is None:
        return -1
    uid = uid_of(name, ports.accounts)
    if uid is None:
        raise PortError(f"there is no user `{name}` on this host")
    return uid


def _group(name: str | None, ports: Ports) -> int:
    if name is None:
        return -1
    gid = gid_of(name, ports.accounts)
    if gid is None:
        raise PortError(f"there is no group `{name}` on this host")
    return gid
