"""Break-glass: root on this host applies modules without anybody's approval. Always loud.

For the day on which nobody can sign. It uses the agent's own state, so that drift is judged against
what it did, and its journal, so that every operator learns of it as soon as the link is up. The
host's policy still holds in what it says of kinds, paths and users.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from agent import clock, files, identity, step_store
from agent.config import AgentConfig
from agent.core import Core
from agent.database import Database, Tx, put
from agent.logs import Log
from agent.state_lock import state_lock
from agent.step_outcomes import Done
from agent.work import Hooks
from protocol import ids
from protocol.errors import StandfastError
from protocol.limits import MAX_COMMENT, MAX_MODULE
from protocol.messages import Audit, ModuleVersion, Offer
from protocol.reasons import Refused
from protocol.reports import ApplyResult
from state_engine.engine.progress import Progress, Resume
from state_engine.model import Snapshot

# Names and digests of the modules in the audit entry; the rest is counted.
MAX_NAMED = 8


class BreakGlassError(StandfastError):
    """It cannot be done like this; the text says what would help."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of it, in lines for the person at the keyboard."""

    succeeded: bool
    lines: tuple[str, ...]


def run(settings: AgentConfig, paths: tuple[Path, ...], reason: str, removal_limit: int) -> Outcome:
    """Apply modules under the state of this host's agent, which must not be running.

    Raises:
        StandfastError: not root, no reason, the agent runs, or a file is no module.
    """
    state_dir = Path(settings.state_dir)
    if os.geteuid() not in {0, _owner(state_dir)}:
        raise BreakGlassError("only root may do this")
    if not reason.strip() or len(reason) > MAX_COMMENT:
        raise BreakGlassError(f"--reason takes 1 to {MAX_COMMENT} characters that say why")
    modules = tuple(_module(path) for path in paths)
    files.prepare_directory(state_dir)
    with state_lock(state_dir):
        own = identity.load_or_create(state_dir)
        database = Database(state_dir)
        try:
            core = Core(settings, own, database, clock=clock.wall, log=Log(clock.wall, "error"))
            return apply(core, modules, reason.strip(), removal_limit)
        finally:
            database.close()


def _owner(state_dir: Path) -> int:
    try:
        return state_dir.stat().st_uid
    except OSError:
        return 0


def _module(path: Path) -> ModuleVersion:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MODULE + 1)
    except OSError as error:
        raise BreakGlassError(f"{path}: {error.strerror}") from error
    if len(content) > MAX_MODULE:
        raise BreakGlassError(f"{path} is longer than {MAX_MODULE} bytes")
    name = path.name.split(".")[0]
    return ModuleVersion(name, hashlib.sha256(content).hexdigest(), content)


def apply(
    core: Core, modules: tuple[ModuleVersion, ...], reason: str, removal_limit: int = 0
) -> Outcome:
    """Tell of it durably, do it, and tell what came of it."""
    operation = ids.ulid(core.clock(), os.urandom(10))
    offer = Offer(
        f"break-glass-{operation}",
        "state.apply",
        "",
        0,
        operation,
        modules,
        removal_limit=removal_limit,
    )
    database = core.database
    begun = f"break-glass by {_person()}: {reason}; {_named(modules)}; operation {operation}"

    def begin(tx: Tx) -> None:
        # Both or neither: nothing is done that was not told, and a crash in between leaves the
        # step behind, which the agent's next start reports as interrupted.
        core.journal.append(tx, Audit("break_glass.begun", begun, severity="critical"))
        step_store.add(tx, offer)
        step_store.start(tx, offer.run_id)

    def report(message: Progress) -> None:
        database.write(lambda tx: step_store.add_progress(tx, offer.run_id, message), urgent=True)

    database.write(begin, urgent=True)
    around = core.steps.around()
    whole = around.snapshot
    mine = msgspec.structs.replace(around, snapshot=_only(whole, _names(offer)), local=True)
    hooks = Hooks(begin=_nothing, report=report, cancelled=_never)
    done = core.steps.engine.apply(offer, mine, hooks, Resume())
    outcome = _outcome(done)

    def finish(tx: Tx) -> None:
        if isinstance(done, Done) and done.snapshot is not None:
            put(
                tx, "snapshot", msgspec.msgpack.encode(_joined(whole, done.snapshot, mine.snapshot))
            )
        text = f"operation {operation}: {'; '.join(outcome.lines)}"
        ended = Audit("break_glass.finished", text[:MAX_COMMENT], severity="critical")
        core.journal.append(tx, ended)
        step_store.finish(tx, offer.run_id)

    database.write(finish, urgent=True)
    return outcome


def _nothing() -> None:
    return None


def _never() -> bool:
    return False


def _person() -> str:
    # Who became root says more than that it was root.
    name = os.environ.get("SUDO_USER") or "root"
    return name if name.isprintable() else "root"


def _named(modules: tuple[ModuleVersion, ...]) -> str:
    shown = [f"{module.name[:64]}@{module.sha256[:16]}" for module in modules[:MAX_NAMED]]
    more = len(modules) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _names(offer: Offer) -> frozenset[str]:
    from state_engine.language import validate

    found = (validate.check_text(module.content, module.name)[0] for module in offer.modules)
    return frozenset(module.name for module in found if module is not None)


def _only(snapshot: Snapshot, names: frozenset[str]) -> Snapshot:
    """Return what these modules hold: those that are not given are not meant to go."""
    return msgspec.structs.replace(
        snapshot,
        applied=tuple(item for item in snapshot.applied if item.resource.module in names),
        pending=tuple(key for key in snapshot.pending if key.module in names),
    )


def _joined(whole: Snapshot, after: Snapshot, before: Snapshot) -> Snapshot:
    """Return the new state of these modules with the old one of the others."""
    old = {item.resource.key for item in before.applied}
    taken = {(item.resource.kind, item.resource.identity) for item in after.applied}
    others = tuple(
        item
        for item in whole.applied
        if item.resource.key not in old
        and (item.resource.kind, item.resource.identity) not in taken
    )
    applied = (*others, *after.applied)
    pending = tuple(key for key in whole.pending if key not in set(before.pending))
    return msgspec.structs.replace(
        after,
        modules=tuple(sorted({item.resource.module for item in applied})),
        applied=applied,
        pending=(*pending, *after.pending),
    )


def _outcome(done: Done | Refused) -> Outcome:
    if isinstance(done, Refused):
        return Outcome(succeeded=False, lines=(f"{done.reason}: {done.detail}",))
    lines = [done.outcome] + ([done.message] if done.message else [])
    if isinstance(done.document, ApplyResult):
        for item in done.document.resources:
            if item.status != "unchanged":
                error = f": {item.error}" if item.error else ""
                lines.append(f"{item.status:12} {item.type} {item.identity}{error}"[:MAX_COMMENT])
    return Outcome(succeeded=done.outcome == "succeeded", lines=tuple(lines))
