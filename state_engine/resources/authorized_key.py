"""The kind `authorized-key`: one public key in a user's authorized_keys, or in a file by its path.

Only the line of that key is managed; every other line stays as it is, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports, Stat
from state_engine.resources.contract import (
    Context,
    Difference,
    EditFile,
    MakeDirectory,
    Observation,
    SetAttributes,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import account_files, ssh_keys
from state_engine.resources.parts.account_files import under
from state_engine.resources.parts.ssh_keys import Entry, PublicKey
from state_engine.resources.parts.unix_paths import check_path, mode_text

MAX_FILE = 1_048_576
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
# A file that a path names may be anywhere; sshd reads it as the user, and it holds no secret.
PATH_MODE = 0o644
OTHERS_WRITE = 0o022


class AuthorizedKeySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One public key that a local user accepts: a line of his ~/.ssh/authorized_keys.

    Directory and file are made with modes 0700 and 0600 if they are missing, and are never written
    through a symbolic link. Other keys stay as they are. When the resource is removed, a line that
    we added is taken out, and one that was there before stays.
    """

    key: Annotated[
        str,
        Meta(
            description="The line of the `.pub` file, without options.",
            examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI… anna@desk"],
        ),
    ]
    user: Annotated[
        str | None, Meta(description="The local user. Excludes `path`.", examples=["deploy"])
    ] = None
    path: Annotated[
        str | None,
        Meta(
            description="A file of keys anywhere else. Excludes `user`.",
            examples=["/etc/ssh/authorized_keys.d/deploy"],
        ),
    ] = None
    options: Annotated[
        list[str] | None,
        Meta(
            description="All options of the line, in order; an empty list for none.",
            examples=[["restrict", 'command="/usr/bin/backup"']],
        ),
    ] = None
    comment: Annotated[
        str | None,
        Meta(description="What stands after the key; else the comment within `key`."),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="Whether the key is accepted.")
    ] = "present"


class Place(msgspec.Struct, frozen=True):
    """The file of keys and, in a user's home, the directory to keep and whose both are."""

    path: str
    directory: str | None = None
    owner: str | None = None
    group: str | None = None


class KeyObservation(msgspec.Struct, frozen=True):
    """A file of keys as found: `place` is None where there is no such user.

    `entries` are the lines of this key. `directory_mode` and `mode` are None where nothing stands.
    """

    place: Place | None
    content: bytes = b""
    entries: tuple[Entry, ...] = ()
    directory_mode: int | None = None
    mode: int | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at files runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: the lines of this key.

        Not the rest of the file, nor whether it is there: another key of the same plan may have
        changed both a moment before.
        """
        return {"lines": [_shown(entry.line()) for entry in self.entries]}


class AuthorizedKey:
    """Keys in authorized_keys files; `root` is the root directory of the system they belong to."""

    name = "authorized-key"
    spec_type: type[msgspec.Struct] = AuthorizedKeySpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the place, the key, its options and its comment."""
        item = _spec(spec)
        problems: list[SpecProblem] = []
        if (item.user is None) == (item.path is None):
            hint = "give one of the two"
            problems.append(
                SpecProblem("user", "either `user` or `path` says whose key it is", hint)
            )
        if item.user is not None:
            problems += account_files.check_name("user", item.user)
        if item.path is not None:
            problems += check_path("path", item.path)
        key = ssh_keys.parse_key(item.key)
        if isinstance(key, str):
            problems.append(SpecProblem("key", key))
        found = [("options", ssh_keys.option_problem(option)) for option in item.options or []]
        if item.comment is not None:
            found.append(("comment", ssh_keys.comment_problem(item.comment)))
        problems += [SpecProblem(field, message) for field, message in found if message]
        if sum(map(len, item.options or [])) > ssh_keys.MAX_LINE // 4:
            problems.append(SpecProblem("options", "the options are too long for one line"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the user or path, and the key's fingerprint: a comment names nothing."""
        del resource_id
        place, key = spec.get("user") or spec.get("path"), spec.get("key")
        if not isinstance(place, str) or not isinstance(key, str):
            return None
        found = ssh_keys.parse_key(key)
        return f"{place} {key if isinstance(found, str) else found[0].fingerprint}"

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file; for a user the one that he would have in the usual home."""
        item = _spec(spec)
        if item.path is not None:
            return (under(self._root, item.path),)
        home = "/root" if item.user == "root" else f"/home/{item.user}"
        files = (f"{home}/.ssh/authorized_keys", "/etc/passwd")
        return tuple(under(self._root, path) for path in files)

    def runs_code(self, spec: Spec) -> bool:
        """Looking at files runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Only the file's content can tell."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> KeyObservation:
        """Return the file and the lines of this key. Raises PortError also for unsafe places."""
        del verify
        item = _spec(spec)
        place = self._place(item, ports)
        if place is None:
            return KeyObservation(None)
        above = None if place.directory is None else ports.files.stat(place.directory)
        if above is not None:
            _refuse_unless_theirs(place.directory or "", above, "directory", place.owner)
        directory_mode = None if above is None else above.mode
        found = ports.files.stat(place.path)
        if found is None:
            return KeyObservation(place, directory_mode=directory_mode)
        _refuse_unless_theirs(place.path, found, "file", place.owner)
        content = ports.files.read(place.path, MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise PortError(f"{place.path} is larger than {MAX_FILE} bytes", "EFBIG")
        blob = _key(item)[0].blob
        entries = tuple(entry for _, entry in _lines(content) if entry and entry.key.blob == blob)
        return KeyObservation(place, content, entries, directory_mode, found.mode)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create (the key is not there), update or none, with the steps."""
        item = _spec(spec)
        found = _found(observation)
        place, present = found.place, item.ensure == "present"
        if place is None:
            if not present:
                return Difference("none")
            message = f"there is no local user `{item.user}`"
            if context.acted:
                return Difference("error", message=message)
            return Difference("create", _added(item), f"{message} yet: it must be, to apply")
        if not present:
            if not found.entries:
                return Difference("none")
            edit = _edit(place, found, _without(found.content, found.entries[0].key))
            return Difference("update", (Change("ensure", "present", "absent"),), None, (edit,))
        if found.entries:
            return _corrected(item, place, found)
        line = _wanted(item, None).line().encode() + b"\n"
        gap = b"\n" if found.content and not found.content.endswith(b"\n") else b""
        edit = _edit(place, found, found.content + gap + line)
        return Difference("create", _added(item), None, (*_directory(place, found), edit))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: take out a line that we added, whatever it looks like now."""
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return Undo(message="nothing to do: it stays absent")
        if found.place is None or not found.entries:
            return Undo(message="already gone")
        if not applied.created:
            return Undo(message="kept: it was there before us")
        edit = _edit(found.place, found, _without(found.content, found.entries[0].key))
        change = Change("key", found.entries[0].key.fingerprint, None)
        return Undo((edit,), (change,), "take the key out of the file")

    def _place(self, item: AuthorizedKeySpec, ports: Ports) -> Place | None:
        if item.path is not None:
            return Place(under(self._root, item.path))
        user = account_files.users(self._root, ports).get(item.user or "")
        if user is None:
            return None
        if not user.home.startswith("/") or check_path("home", f"{user.home.rstrip('/')}/.ssh"):
            raise PortError(f"the home of `{user.name}` is `{user.home}`, which can hold no keys")
        directory = under(self._root, f"{user.home.rstrip('/')}/.ssh")
        return Place(f"{directory}/authorized_keys", directory, str(user.uid), str(user.gid))


def _spec(spec: Spec) -> AuthorizedKeySpec:
    return msgspec.convert(spec, AuthorizedKeySpec)


def _found(observation: Observation | None) -> KeyObservation:
    if not isinstance(observation, KeyObservation):
        raise TypeError(f"authorized-key was handed {type(observation).__name__}")
    return observation


def _key(item: AuthorizedKeySpec) -> tuple[PublicKey, str]:
    found = ssh_keys.parse_key(item.key)
    if isinstance(found, str):
        raise PortError(found)
    return found


def _refuse_unless_theirs(path: str, stat: Stat, kind: str, owner: str | None) -> None:
    if stat.type != kind:
        raise PortError(f"{path} is a {stat.type}, not a {kind}; move it away")
    # The user can give any file of the host a second name here: a copy of one that is not his own
    # would tell him what it holds.
    if owner is not None and str(stat.uid) != owner:
        raise PortError(
            f"{path} belongs to uid {stat.uid}, not to its user {owner}; chown it first"
        )


def _is_loose(place: Place, mode: int | None) -> bool:
    """Say whether sshd would pass over the file, because others can write to it."""
    return place.owner is not None and mode is not None and bool(mode & OTHERS_WRITE)


def _directory(place: Place, found: KeyObservation) -> tuple[Step, ...]:
    if place.directory is None:
        return ()
    if found.directory_mode is None:
        return (MakeDirectory(place.directory, DIRECTORY_MODE, place.owner, place.group),)
    if _is_loose(place, found.directory_mode):
        return (SetAttributes(place.directory, DIRECTORY_MODE),)
    return ()


def _edit(place: Place, found: KeyObservation, content: bytes) -> EditFile:
    if found.mode is None:
        mode = PATH_MODE if place.owner is None else FILE_MODE
        return EditFile(place.path, content, None, mode, place.owner, place.group)
    expected = hashlib.sha256(found.content).hexdigest()
    mode_now = FILE_MODE if _is_loose(place, found.mode) else None
    return EditFile(place.path, content, expected, mode_now)


def _wanted(item: AuthorizedKeySpec, current: Entry | None) -> Entry:
    key, within = _key(item)
    comment = within if item.comment is None else item.comment
    if current is None:
        return Entry(tuple(item.options or ()), key, comment)
    options = current.options if item.options is None else tuple(item.options)
    managed = item.comment is not None or within
    return Entry(options, key, comment if managed else current.comment)


def _added(item: AuthorizedKeySpec) -> tuple[Change, ...]:
    wanted = _wanted(item, None)
    changes = [Change("key", None, wanted.key.fingerprint)]
    if wanted.options:
        changes.append(Change("options", None, ",".join(wanted.options)))
    if wanted.comment:
        changes.append(Change("comment", None, wanted.comment))
    return tuple(changes)


def _line_changes(item: AuthorizedKeySpec, found: KeyObservation) -> list[Change]:
    current = found.entries[0]
    wanted = _wanted(item, current)
    changes: list[Change] = []
    if wanted.options != current.options:
        changes.append(_changed("options", ",".join(current.options), ",".join(wanted.options)))
    if wanted.comment != current.comment:
        changes.append(_changed("comment", current.comment, wanted.comment))
    if len(found.entries) > 1:
        # A second line with other options would admit what the first one does not.
        changes.append(Change("lines of this key", str(len(found.entries)), "1"))
    return changes


def _changed(field: str, current: str, desired: str) -> Change:
    return Change(field, _shown(current), _shown(desired))


def _shown(text: str) -> str:
    """Return a text without the bytes that are not UTF-8, which no message can carry."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _corrected(item: AuthorizedKeySpec, place: Place, found: KeyObservation) -> Difference:
    """Return what is left to do where the key is there: its line, and what sshd refuses to read."""
    changes = _line_changes(item, found)
    steps: list[Step] = [*_directory(place, found)]
    if changes:
        wanted = _wanted(item, found.entries[0])
        steps.append(_edit(place, found, _replaced(found.content, wanted)))
    elif _is_loose(place, found.mode):
        steps.append(SetAttributes(place.path, FILE_MODE))
    for field, mode, wanted_mode in (
        ("mode of the directory", found.directory_mode, DIRECTORY_MODE),
        ("mode", found.mode, FILE_MODE),
    ):
        if mode is not None and _is_loose(place, mode):
            changes.append(Change(field, mode_text(mode), mode_text(wanted_mode)))
    return Difference("update" if changes else "none", tuple(changes), None, tuple(steps))


def _lines(content: bytes) -> list[tuple[bytes, Entry | None]]:
    """Return the lines with their ends, and what each admits."""
    lines = content.split(b"\n")
    ended = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return [(line, ssh_keys.parse_line(line.decode("utf-8", "surrogateescape"))) for line in ended]


def _without(content: bytes, key: PublicKey) -> bytes:
    return b"".join(
        line for line, entry in _lines(content) if entry is None or entry.key.blob != key.blob
    )


def _replaced(content: bytes, wanted: Entry) -> bytes:
    """Return the content with the first line of the key as wanted, and no second one."""
    kept: list[bytes] = []
    put = False
    for line, entry in _lines(content):
        if entry is None or entry.key.blob != wanted.key.blob:
            kept.append(line)
        elif not put:
            kept.append(wanted.line().encode("utf-8", "surrogateescape") + b"\n")
            put = True
    return b"".join(kept)
