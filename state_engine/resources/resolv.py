"""The kind `resolv`: the name servers of this host, in resolv.conf(5) or for systemd-resolved."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    Observation,
    RemoveFile,
    RestoreFile,
    Risk,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import owned_files
from state_engine.resources.parts.owned_files import HEADER, Found, Owned
from state_engine.resources.parts.systemd_units import systemctl

FILE = "etc/resolv.conf"
DROP_IN = "etc/systemd/resolved.conf.d/standfast.conf"
# What resolved itself goes by: the servers of its configuration and those that links have told it.
RUNNING = "run/systemd/resolve/resolv.conf"
# glibc asks three at most (MAXNS) and silently leaves the rest.
MAX_SERVERS = 3
MAX_SEARCH = 32
MAX_SERVERS_RESOLVED = 16
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_OPTION = re.compile(r"[a-z][a-z0-9-]*(:[0-9]{1,4})?")
_KEYS = {"search": "search", "domain": "search", "options": "options", "DNS": "nameservers",
         "Domains": "search"}  # fmt: skip
# Who writes the file himself, by words that he puts into it: what is right there instead.
_WRITERS = {
    "NetworkManager": "set `dns=none` in NetworkManager.conf first, or set the servers there",
    "resolvconf": "set the servers in resolvconf's own files, or remove that package first",
    "dhclient": "make dhclient leave the file alone first (`supersede domain-name-servers`)",
    "dhcpcd": "say `nohook resolv.conf` in dhcpcd.conf first",
    "Connection Manager": "set the servers with connmanctl, or stop connman from writing the file",
}


class ResolvSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name servers that this host asks, and the domains that it searches.

    With `manager: file` /etc/resolv.conf is written; where it is a link to systemd-resolved's, or
    where another program writes it, that is refused with what is right instead. With `resolved` a
    drop-in of ours tells systemd-resolved. `auto` is `resolved` where the file is its link.
    `ensure: absent` takes what we have written away. No longer desired: what was there before us
    comes back. A change is taken back if the host loses its coordinator by it.
    """

    nameservers: Annotated[
        list[str],
        Meta(description="IP addresses, the preferred one first.", examples=[["192.0.2.53"]]),
    ] = []
    search: Annotated[list[str], Meta(description="Domains that are tried for short names.")] = []
    options: Annotated[
        list[str],
        Meta(description="Options of resolv.conf(5); for the file only.", examples=[["edns0"]]),
    ] = []
    manager: Annotated[
        Literal["auto", "file", "resolved"], Meta(description="Who is told of the servers.")
    ] = "auto"
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="`absent`: nothing of ours is there.")
    ] = "present"


class FoundResolv(msgspec.Struct, frozen=True):
    """The file and the drop-in; `running` are the servers that resolved has, None if it is off."""

    file: Found
    drop_in: Found
    linked: bool
    running: tuple[str, ...] | None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        return {"file": self.file.state(), "drop_in": self.drop_in.state()}


class Resolv:
    """The name servers of this host."""

    name = "resolv"
    spec_type: type[msgspec.Struct] = ResolvSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True
    risk: Risk = "connectivity"

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of servers, domains and options."""
        item = _spec(spec)
        problems = [
            SpecProblem("nameservers", f"`{each[:60]}` is not an IP address")
            for each in item.nameservers
            if not _is_address(each)
        ]
        problems += [
            SpecProblem("search", f"`{each[:60]}` is not a domain")
            for each in item.search
            if not _DOMAIN.fullmatch(each)
        ]
        problems += [
            SpecProblem("options", f"`{each[:60]}` is no option of resolv.conf")
            for each in item.options
            if not _OPTION.fullmatch(each)
        ]
        if item.ensure == "absent":
            return problems
        if not item.nameservers:
            problems.append(SpecProblem("nameservers", "at least one name server is needed"))
        limit = MAX_SERVERS_RESOLVED if item.manager == "resolved" else MAX_SERVERS
        if len(item.nameservers) > limit:
            message = f"only {limit} name servers are ever asked"
            problems.append(SpecProblem("nameservers", message))
        if len(item.search) > MAX_SEARCH:
            problems.append(SpecProblem("search", f"more than {MAX_SEARCH} domains"))
        if item.options and item.manager == "resolved":
            problems.append(SpecProblem("options", "systemd-resolved knows no such options"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the one name: a host has one such configuration."""
        del spec, resource_id
        return "resolv.conf"

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file, the drop-in, and what resolved goes by."""
        del spec
        return tuple(f"{self._root}{path}" for path in (FILE, DROP_IN, RUNNING))

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Several files have to be looked at."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> FoundResolv:
        """Return the file, the drop-in and the servers of a running resolved."""
        del spec, verify
        file = owned_files.look(ports, f"{self._root}{FILE}")
        drop_in = owned_files.look(ports, f"{self._root}{DROP_IN}")
        linked = file.type == "symlink" and "systemd/resolve/" in (file.target or "")
        running = owned_files.look(ports, f"{self._root}{RUNNING}")
        return FoundResolv(file, drop_in, linked, _servers(running.text))

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where the file is somebody else's."""
        del context
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return self._absent(found)
        by_resolved = item.manager == "resolved" or (item.manager == "auto" and found.linked)
        problem = _resolved_problem(item, found) if by_resolved else _file_problem(found)
        if problem is not None:
            return Difference("error", message=problem)
        changes: list[Change] = []
        if by_resolved:
            wanted, here = Owned(f"{self._root}{DROP_IN}", _drop_in(item)), found.drop_in
        else:
            wanted, here = Owned(f"{self._root}{FILE}", _resolv_conf(item)), found.file
        steps = list(owned_files.steps(wanted, here))
        if steps:
            changes += _text_changes(wanted.content or "", here.text)
        told = found.running is None or set(item.nameservers) <= set(found.running)
        if by_resolved and not told:
            changes.append(Change("running", "other servers", "these servers"))
        # A drop-in of ours would go on telling resolved what the file does not say.
        if not by_resolved and found.drop_in.type == "file":
            changes.append(Change("drop-in", found.drop_in.path, None))
            steps += owned_files.gone([found.drop_in])
        if not changes:
            return Difference("none")
        if by_resolved or len(changes) > 1:
            steps += _told_resolved(found)
        return Difference(
            "create" if here.type is None else "update", tuple(changes), steps=tuple(steps)
        )

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: the drop-in goes, the file is what it was before us."""
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return Undo(message="nothing to take back: it was wished away")
        if found.drop_in.type == "file":
            steps = (*owned_files.gone([found.drop_in]), *_told_resolved(found))
            return Undo(steps, message="delete the drop-in of systemd-resolved")
        if found.file.type != "file" or not (found.file.text or "").startswith(HEADER):
            return Undo(message="kept: it is not the file that we wrote")
        if applied.created:
            step = RemoveFile(found.file.path, backup=True)
            return Undo((step,), message="delete the file: there was none before us")
        if applied.pre_image is not None:
            restore = RestoreFile(
                found.file.path, applied.pre_image, applied.pre_mode, applied.pre_uid,
                applied.pre_gid,
            )  # fmt: skip
            return Undo((restore,), message="restore the file that was there before us")
        return Undo(message="kept: it was so before us")

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return what brings back file and drop-in as they were observed."""
        del spec, copies
        found = _found(observation)
        # A link that is no regular file is never written by us, so it need not be brought back.
        both = (found.file, found.drop_in)
        kept = [(Owned(each.path), each) for each in both if each.type in {None, "file"}]
        return (*owned_files.back(kept), *_told_resolved(found))

    def _absent(self, found: FoundResolv) -> Difference:
        ours = [
            each
            for each in (found.file, found.drop_in)
            if each.type == "file" and (each.text or "").startswith(HEADER)
        ]
        if not ours:
            return Difference("none")
        steps: list[Step] = [RemoveFile(each.path, backup=True) for each in ours]
        if found.drop_in in ours:
            steps += _told_resolved(found)
        return Difference(
            "update", (Change("ensure", "present", "absent"),), "copies are kept", tuple(steps)
        )


def _spec(spec: Spec) -> ResolvSpec:
    return msgspec.convert(spec, ResolvSpec)


def _found(observation: Observation | None) -> FoundResolv:
    if not isinstance(observation, FoundResolv):
        raise TypeError(f"resolv was handed {type(observation).__name__}")
    return observation


def _is_address(text: str) -> bool:
    address, percent, zone = text.partition("%")
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # Of a link-local server the link has to be said.
    return not percent or (found.is_link_local and re.fullmatch(r"[\w.@-]{1,15}", zone) is not None)


def _servers(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    words = (line.split() for line in text.splitlines())
    return tuple(line[1] for line in words if len(line) > 1 and line[0] == "nameserver")


def _file_problem(found: FoundResolv) -> str | None:
    path = found.file.path
    if found.linked:
        return (
            f"{path} is a link to {found.file.target}, which systemd-resolved writes; say"
            " `manager: resolved` to tell it, or put a file of your own in the link's place first"
        )
    if found.file.type == "symlink":
        return (
            f"{path} is a link to {found.file.target}: whoever writes that file would be fought;"
            " tell him instead, or put a file of your own in the link's place first"
        )
    if found.file.problem is not None:
        return found.file.problem
    lines = (found.file.text or "").splitlines()
    comments = " ".join(line for line in lines if line.startswith(("#", ";")))
    for word, right in _WRITERS.items():
        if "enerated by" in comments and word.lower() in comments.lower():
            return f"{path} is written by {word}, which would write it again; {right}"
    return None


def _resolved_problem(item: ResolvSpec, found: FoundResolv) -> str | None:
    if found.drop_in.type == "symlink":
        return f"{found.drop_in.path} is a link; move it away"
    if item.options:
        return "`options` are for /etc/resolv.conf: systemd-resolved, which writes it, has none"
    return found.drop_in.problem


def _resolv_conf(item: ResolvSpec) -> str:
    lines = [HEADER, *(f"nameserver {server}" for server in item.nameservers)]
    lines += [f"search {' '.join(item.search)}"] if item.search else []
    lines += [f"options {' '.join(item.options)}"] if item.options else []
    return "".join(f"{line}\n" for line in lines)


def _drop_in(item: ResolvSpec) -> str:
    lines = [HEADER, "[Resolve]", f"DNS={' '.join(item.nameservers)}"]
    lines += [f"Domains={' '.join(item.search)}"] if item.search else []
    return "".join(f"{line}\n" for line in lines)


def _text_changes(wanted: str, found: str | None) -> list[Change]:
    """Return what a text changes, each value under the field of the module that says it."""
    old, new = _settings(found or ""), _settings(wanted)
    changes = [
        Change(field, old.get(field), new.get(field))
        for field in ("nameservers", "search", "options")
        if old.get(field) != new.get(field)
    ]
    if changes:
        return changes
    # The same in other words, or a line that is none of ours.
    return [Change("content", None if found is None else _named(found), _named(wanted))]


def _settings(text: str) -> dict[str, str]:
    """Return what a resolv.conf or a drop-in of resolved says, by the fields of a module."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.replace("=", " ", 1).strip().partition(" ")
        if key == "nameserver":
            found["nameservers"] = f"{found.get('nameservers', '')} {value.strip()}".strip()
        elif key in _KEYS:
            found[_KEYS[key]] = " ".join(value.split())
    return found


def _told_resolved(found: FoundResolv) -> tuple[Step, ...]:
    """Return what makes a running resolved read its files; older ones cannot reload."""
    return () if found.running is None else (systemctl("restart", unit="systemd-resolved.service"),)


def _named(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
