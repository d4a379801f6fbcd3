"""Bringing what an archive holds into a directory, through the ports, and taking it out again.

What is in an archive, and what of it is refused, is `resources.parts.archive_files`.
"""

from __future__ import annotations

import hashlib

from state_engine.ports import PortError, Ports
from state_engine.resources.contract import Unpack
from state_engine.resources.parts import archive_files
from state_engine.resources.parts.archive_files import ArchiveError, Member
from state_engine.resources.parts.archive_source import archive_bytes
from state_engine.resources.parts.archive_tree import file_mode, is_ours


def unpack(step: Unpack, ports: Ports, uid: int, gid: int) -> bool:
    """Do the step; say whether there was anything to do.

    A parent comes before what is in it. What stands in the way of another type stops it.

    Raises:
        PortError: the archive is not the one that was seen, or what the system says.
    """
    data = archive_bytes(step.source, step.digest, ports)
    try:
        members = archive_files.manifest(data, step.digest, step.strip)
        if step.remove:
            return _take_out(step, members, ports)
        _put_in(step, members, data, ports, (uid, gid))
    except ArchiveError as error:
        raise PortError(f"{step.source}: {error}") from error
    return True


def _put_in(
    step: Unpack,
    members: tuple[Member, ...],
    data: bytes,
    ports: Ports,
    account: tuple[int, int],
) -> None:
    due = set(step.members)
    chosen = [member for member in members if not due or member.path in due]
    for member in chosen:
        if member.kind != "file":
            _bring(step, member, ports, *account)
    files = {member.path: member for member in chosen if member.kind == "file"}
    for path, content in archive_files.contents(data, step.strip, frozenset(files)):
        # Of a name that comes twice only the last one counts, and the manifest knows it.
        if hashlib.sha256(content).hexdigest() == files[path].digest:
            _write(step, files[path], content, ports, *account)


def _bring(step: Unpack, member: Member, ports: Ports, uid: int, gid: int) -> None:
    path = f"{step.path}/{member.path}"
    found = ports.files.stat(path)
    if member.kind == "symlink":
        ports.files.make_symlink(path, member.target, uid, gid)
        return
    if found is None:
        ports.files.make_directory(path, file_mode(step.mode, member), uid, gid)
        return
    if found.type != "directory":
        raise PortError(f"{path} is there and is no directory", "ENOTDIR")
    if uid != -1 or gid != -1:
        ports.files.set_owner(path, uid, gid)
    if step.mode is not None:
        ports.files.set_mode(path, file_mode(step.mode, member))


def _write(step: Unpack, member: Member, content: bytes, ports: Ports, uid: int, gid: int) -> None:
    path = f"{step.path}/{member.path}"
    found = ports.files.stat(path)
    if found is not None and found.type == "file" and ports.files.digest(path) != member.digest:
        ports.backups.keep(path)  # it may hold somebody's edits
    ports.files.write(path, content, file_mode(step.mode, member), uid, gid)


def _take_out(step: Unpack, members: tuple[Member, ...], ports: Ports) -> bool:
    done = False
    for member in reversed(members):
        path = f"{step.path}/{member.path}"
        if is_ours(path, member, ports):
            ports.files.remove(path)
            done = True
    return done
