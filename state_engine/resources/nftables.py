"""The kind `nftables`: one table of the packet filter, loaded as a whole and kept for the boot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from itertools import starmap
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports, ProgramCall
from state_engine.resources.contract import (
    Context,
    Difference,
    Observation,
    Risk,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import nft_text, owned_files, text_diff
from state_engine.resources.parts.owned_files import HEADER, Found, Owned
from state_engine.resources.parts.systemd_units import systemctl

TIMEOUT = 60.0
# The listing of half a megabyte of text is some megabytes of JSON.
MAX_LISTING = 16 * 1_048_576
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Loads the text where there is nothing else, in a network of the shell's own, and says what nft
# makes of it. The words are fixed; the text comes as standard input.
_SCRATCH = f"nft add table inet {nft_text.CANARY} && nft -f - && exec nft "


class NftablesSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of nftables that is wholly ours; other tables are never touched.

    The table is replaced in one transaction, after nft has checked it, and only if it differs in
    what it means: counters, comments and what packets put into sets do not count. A file in
    /etc/nftables.d and a unit of its own load it at boot, after the host's own nftables.service.
    `ensure: absent`, and no longer desired: table, file and unit go. A change is taken back if the
    host loses its coordinator by it.
    """

    table: Annotated[str, Meta(description="The table's name.", examples=["edge"])]
    ruleset: Annotated[
        str | None,
        Meta(
            description="What stands between the braces of the table. Name interfaces by `iifname`"
            " and `oifname`: `iif` and `oif` cannot be compared.",
            examples=[
                "chain input {\n  type filter hook input priority 10;\n  tcp dport 23 drop\n}\n"
            ],
        ),
    ] = None
    family: Annotated[
        Literal["inet", "ip", "ip6", "arp", "bridge"], Meta(description="The table's family.")
    ] = "inet"
    persist: Annotated[
        bool, Meta(description="`false`: neither file nor unit; it holds until the next boot.")
    ] = True
    adopt: Annotated[
        bool, Meta(description="Take over a table of this name that somebody else has made.")
    ] = False
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="`absent`: there is no such table.")
    ] = "present"


class FoundTable(msgspec.Struct, frozen=True):
    """The table as listed, and as the text would make it.

    `listed` and `wanted` are in normal form, None for no table. `text`: how nft would load what is
    there. `shown` and `wished` are for people. `refused`: what nft says against the text.
    """

    listed: str | None
    wanted: str | None
    files: tuple[tuple[Owned, Found], ...]
    text: str = ""
    shown: str = ""
    wished: str = ""
    refused: str | None = None
    booted: bool = False

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing of a module."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        digest = None if self.listed is None else hashlib.sha256(self.listed.encode()).hexdigest()
        return {"table": digest, "files": [found.state() for _, found in self.files]}

    @property
    def marked(self) -> bool:
        """Say whether a file of ours says that the table is ours."""
        return any((found.text or "").startswith(HEADER) for _, found in self.files)


class Nftables:
    """Tables of the packet filter."""

    name = "nftables"
    spec_type: type[msgspec.Struct] = NftablesSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True
    risk: Risk = "connectivity"

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name and the text."""
        item = _spec(spec)
        problems: list[SpecProblem] = []
        if not _NAME.fullmatch(item.table) or item.table == nft_text.CANARY:
            hint = "letters, digits and `_`"
            problems.append(SpecProblem("table", f"`{item.table[:70]}` is no table's name", hint))
        if item.ensure == "present" and item.ruleset is None:
            problems.append(SpecProblem("ruleset", "a present table needs a `ruleset`"))
        if item.ruleset is not None:
            problem = nft_text.read(item.ruleset).problem
            if problem is not None:
                problems.append(SpecProblem("ruleset", problem))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return family and name: such a table there is once."""
        del resource_id
        table, family = spec.get("table"), spec.get("family", "inet")
        return f"{family} {table}" if isinstance(table, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the files; of its tables the kernel tells by netlink only."""
        item = _spec(spec)
        return tuple(each.path for each in self._files(item))

    def runs_code(self, spec: Spec) -> bool:
        """Looking loads the text where it filters nothing; it cannot run programs."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """The kernel has to be asked."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> FoundTable:
        """Return the table, and what nft makes of the text in a network of its own."""
        del verify
        item = _spec(spec)
        files = tuple((each, owned_files.look(ports, each.path)) for each in self._files(item))
        listed = _listed(ports, item)
        booted = ports.files.stat(f"{self._root}run/systemd/system") is not None
        found = FoundTable(listed, None, files, booted=booted)
        if item.ensure == "present":
            found = _compared_with_text(ports, item, found)
        if found.listed in {None, found.wanted} or found.refused is not None:
            return found
        call = ProgramCall(("nft", "list", "table", item.family, item.table), keep=MAX_LISTING)
        return msgspec.structs.replace(found, text=_output(ports, call))

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error for what nft refuses and for a foreign table."""
        item, found = _spec(spec), _found(observation)
        problem = found.refused or next(
            (each.problem for _, each in found.files if each.problem is not None), None
        )
        known = context.applied or context.acted or context.left is not None
        if problem is None and found.listed is not None and not (known or item.adopt):
            problem = None if found.marked else _foreign(item)
        if problem is not None:
            return Difference("error", message=problem)
        changes: list[Change] = []
        live = found.listed == found.wanted
        if item.ensure == "absent" and found.listed is not None:
            changes.append(Change("ensure", "present", "absent"))
        elif not live:
            diff = text_diff.unified(found.shown, found.wished, f"table {item.family} {item.table}")
            current = None if found.listed is None else _named(found.listed)
            changes.append(Change("ruleset", current, _named(found.wanted or ""), diff=diff))
        lasting = all(starmap(owned_files.right, found.files))
        if not lasting:
            word = "otherwise" if any(each.type for _, each in found.files) else None
            changes.append(Change("at boot", word, "loaded" if item.persist else None))
        if not changes:
            return Difference("none")
        steps: list[Step] = []
        if not live:
            text = nft_text.delete(item.family, item.table)
            steps += _load(_text(item) if item.ensure == "present" else text)
        if not lasting:
            # What nft refuses must not wait in a file for the next boot: the kernel is first.
            steps += owned_files.all_steps(found.files)
            steps += self._told(item, found)
        fresh = found.listed is None and all(each.type is None for _, each in found.files)
        made = fresh and item.ensure == "present"
        return Difference("create" if made else "update", tuple(changes), steps=tuple(steps))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: the table goes with its file and unit; one that was taken over stays."""
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return Undo(message="nothing to take back: it was wished away")
        steps = list(owned_files.gone([each for _, each in found.files]))
        if found.booted and steps:
            steps.append(systemctl("daemon-reload"))
        if found.listed is None:
            return Undo(tuple(steps), message="the table is gone already")
        if item.adopt and not applied.created:
            return Undo(tuple(steps), message="the table stays: it was there before us")
        steps += _load(nft_text.delete(item.family, item.table))
        change = Change("ensure", "present", "absent")
        return Undo(tuple(steps), (change,), "delete the table")

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return what brings back the table and the files that were observed."""
        del copies
        item, found = _spec(spec), _found(observation)
        steps: list[Step] = []
        if found.listed != found.wanted:
            # Through the same transaction: whatever stands there by then is replaced.
            before = nft_text.delete(item.family, item.table) + found.text
            steps.append(_nft("-f", "-", text=before))
        if not all(starmap(owned_files.right, found.files)):
            steps += owned_files.back(found.files)
            steps += [systemctl("daemon-reload")] if found.booted else []
        return tuple(steps)

    def _files(self, item: NftablesSpec) -> tuple[Owned, ...]:
        name = f"standfast-{item.family}-{item.table}"
        path = f"{self._root}etc/nftables.d/{name}.nft"
        units = f"{self._root}etc/systemd/system"
        unit = f"{units}/standfast-nftables-{item.family}-{item.table}.service"
        link = f"{units}/sysinit.target.wants/{unit.rpartition('/')[2]}"
        if item.ensure == "absent" or not item.persist:
            return Owned(path), Owned(link), Owned(unit)
        content = f"{HEADER}\n{_text(item)}"
        return Owned(path, content), Owned(unit, _unit(item, path)), Owned(link, target=unit)

    def _told(self, item: NftablesSpec, found: FoundTable) -> list[Step]:
        """Return what makes a running systemd know the unit, which follows nftables.service."""
        if not found.booted:
            return []
        unit = f"standfast-nftables-{item.family}-{item.table}.service"
        wanted = item.ensure == "present" and item.persist
        return [systemctl("daemon-reload"), *([systemctl("restart", unit=unit)] if wanted else [])]


def _spec(spec: Spec) -> NftablesSpec:
    return msgspec.convert(spec, NftablesSpec)


def _found(observation: Observation | None) -> FoundTable:
    if not isinstance(observation, FoundTable):
        raise TypeError(f"nftables was handed {type(observation).__name__}")
    return observation


def _text(item: NftablesSpec) -> str:
    return nft_text.load(item.family, item.table, nft_text.read(item.ruleset or "").text)


def _listed(ports: Ports, item: NftablesSpec) -> str | None:
    """Return the table in normal form, or None if there is none. Raises PortError."""
    argv = ("nft", "-j", "list", "table", item.family, item.table)
    captured = ports.programs.run(ProgramCall(argv, timeout=TIMEOUT, keep=MAX_LISTING))
    if captured.exit and "No such file or directory" in captured.stderr:
        return None
    return nft_text.normal(_objects(captured))


def _compared_with_text(ports: Ports, item: NftablesSpec, found: FoundTable) -> FoundTable:
    """Return what was found, with what the text would make of the table."""
    captured = ports.programs.run(_scratch(item, "-j list ruleset"))
    if captured.exit:
        return msgspec.structs.replace(found, refused=_refusal(captured))
    made = _objects(captured)
    inside = nft_text.without(made, nft_text.CANARY)
    if len(inside) != len(made) - 1 or nft_text.strangers(inside, item.family, item.table):
        return msgspec.structs.replace(found, refused="the ruleset reaches beyond its own table")
    wanted = nft_text.normal(inside)
    if wanted == found.listed:
        return msgspec.structs.replace(found, wanted=wanted)
    words = f"{item.family} {item.table}"
    wished = _output(ports, _scratch(item, f"-s list table {words}"))
    shown = ""
    if found.listed is not None:
        argv = ("nft", "-s", "list", "table", item.family, item.table)
        shown = _output(ports, ProgramCall(argv, timeout=TIMEOUT, keep=MAX_LISTING))
    return msgspec.structs.replace(found, wanted=wanted, wished=wished, shown=shown)


def _scratch(item: NftablesSpec, listing: str) -> ProgramCall:
    argv = ("unshare", "--net", "--", "sh", "-c", _SCRATCH + listing)
    return ProgramCall(argv, stdin=_text(item).encode(), timeout=TIMEOUT, keep=MAX_LISTING)


def _objects(captured: CapturedStream) -> list[tuple[str, nft_text.Object]]:
    if captured.exit or captured.truncated:
        said = captured.stderr.strip().partition("\n")[0][:200]
        raise PortError(f"nft cannot list tables: {said or 'the listing is too long'}")
    try:
        return nft_text.objects(captured.stdout)
    except ValueError as error:
        raise PortError(str(error)) from error


def _output(ports: Ports, call: ProgramCall) -> str:
    captured = ports.programs.run(call)
    if captured.exit or captured.truncated:
        raise PortError(f"nft cannot list tables: {captured.stderr.strip()[:200]}")
    return captured.stdout


def _refusal(captured: CapturedStream) -> str:
    lines = captured.stderr.strip().splitlines()
    said = "; ".join(line.strip() for line in lines[:3])[:300]
    hint = ""
    if "Interface does not exist" in captured.stderr:
        hint = " (name interfaces by `iifname` and `oifname`, which need not exist)"
    return f"nft refuses the ruleset: {said}{hint}"


def _foreign(item: NftablesSpec) -> str:
    return (
        f"there is a table {item.family} {item.table} that we have not made; choose another name,"
        " or take it over with `adopt: true`"
    )


def _named(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _nft(*words: str, text: str) -> RunScript:
    return RunScript(ProgramCall(("nft", *words), stdin=text.encode(), timeout=TIMEOUT), "apply")


def _load(text: str) -> list[Step]:
    """Return the check of a transaction, in which nothing changes, and the transaction itself."""
    return [_nft("-c", "-f", "-", text=text), _nft("-f", "-", text=text)]


def _unit(item: NftablesSpec, path: str) -> str:
    return f"""{HEADER}
[Unit]
Description=The nftables table {item.family} {item.table}
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
# That one empties the ruleset when it starts, so this follows it.
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=nft -f {path}
ExecReload=nft -f {path}

[Install]
WantedBy=sysinit.target
"""
