"""An unpacked archive on the host: in what it differs from the archive. It is no kind.

Nothing is changed here; `engine.unpack` does that.
"""

from __future__ import annotations

import msgspec

from state_engine.ports import PortError, Ports, Stat
from state_engine.resources.parts import text_lines
from state_engine.resources.parts.accounts import gid_of, uid_of
from state_engine.resources.parts.archive_files import Member


class Wish(msgspec.Struct, frozen=True):
    """Where an archive is unpacked, and who owns it with what mode; None is not managed.

    Without `mode` the archive's own bits are taken, without privileges.
    """

    path: str
    mode: int | None = None
    owner: str | None = None
    group: str | None = None


class Differing(msgspec.Struct, frozen=True):
    """One member that is not as the archive has it: what is there instead.

    `blocked`: something stands there that is not replaced. `digest` is that of other content.
    """

    path: str
    what: str
    blocked: bool = False
    digest: str = ""


def file_mode(mode: int | None, member: Member) -> int:
    """Return the mode of a file or directory: the module's, or else the archive's own.

    A directory may be searched by whoever may read it.
    """
    if mode is None:
        return member.mode
    if member.kind == "directory":
        return mode | (mode & 0o444) >> 2
    return mode


def differences(
    members: tuple[Member, ...], wish: Wish, ports: Ports, *, verify: bool
) -> tuple[Differing, ...]:
    """Return the members that differ; what lies below a missing directory is missing too."""
    missing: set[str] = set()
    found: list[Differing] = []
    for member in members:
        above = member.path.rpartition("/")[0]
        stat = None if above in missing else ports.files.stat(f"{wish.path}/{member.path}")
        differing = _differs(member, stat, wish, ports, verify=verify)
        if differing is None:
            continue
        found.append(differing)
        if stat is None or differing.blocked:
            missing.add(member.path)
    return tuple(found)


def is_ours(path: str, member: Member, ports: Ports) -> bool:
    """Say whether what stands there is as the archive has it (a directory: empty)."""
    try:
        found = ports.files.stat(path)
    except PortError as error:
        if error.code in {"ENOENT", "ENOTDIR"}:
            return False
        raise
    if found is None or found.type != member.kind:
        return False
    if member.kind == "file":
        return ports.files.digest(path) == member.digest
    if member.kind == "symlink":
        return ports.files.read_link(path) == member.target
    return ports.files.is_empty(path)


def _differs(
    member: Member, stat: Stat | None, wish: Wish, ports: Ports, *, verify: bool
) -> Differing | None:
    path = f"{wish.path}/{member.path}"
    if stat is None:
        return Differing(member.path, "missing")
    if stat.type != member.kind:
        return Differing(member.path, f"a {stat.type}", blocked=True)
    digest = ports.files.digest(path, verify=verify) if member.kind == "file" else ""
    if digest != member.digest:
        return Differing(member.path, "other content", digest=digest)
    if member.kind == "symlink":
        target = ports.files.read_link(path)
        if target != member.target:
            return Differing(member.path, f"a link to {text_lines.shown(target)}")
        return _owned_by_another(member, stat, wish, ports)
    mode = file_mode(wish.mode, member)
    # A directory that was there keeps the mode that somebody gave it, unless the module has one.
    if stat.mode != mode and (member.kind == "file" or wish.mode is not None):
        return Differing(member.path, f"mode {stat.mode:04o}")
    return _owned_by_another(member, stat, wish, ports)


def _owned_by_another(member: Member, stat: Stat, wish: Wish, ports: Ports) -> Differing | None:
    if wish.owner is not None and uid_of(wish.owner, ports.accounts) != stat.uid:
        return Differing(member.path, f"owner {ports.accounts.user(stat.uid)}")
    if wish.group is not None and gid_of(wish.group, ports.accounts) != stat.gid:
        return Differing(member.path, f"group {ports.accounts.group(stat.gid)}")
    return None
