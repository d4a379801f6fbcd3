"""The kind `file-unix`: a regular file's content, owner, group and mode.

A symbolic link, directory or device in the file's place is an error, never replaced.

A difference quotes what the file holds only if every user of the host may read it, or if it is what
an apply left there (the module says it anyway). Plans travel; the text of a private file does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import MAX_CONTENT, FileType, Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    Glance,
    Observation,
    RemoveFile,
    RestoreFile,
    SetAttributes,
    Spec,
    SpecProblem,
    Step,
    Undo,
    WriteFile,
    WriteSource,
)
from state_engine.resources.parts import text_diff
from state_engine.resources.parts.accounts import group_as, user_as
from state_engine.resources.parts.candidate_check import check_command
from state_engine.resources.parts.source_address import check_source
from state_engine.resources.parts.unix_paths import (
    Ensure,
    check_account,
    check_alone,
    check_mode,
    check_path,
    mode_bits,
    mode_text,
)

# Text longer than this is shown by digest only.
MAX_SHOWN = 262_144


class FileUnixSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A regular file; a field that is left out is not managed.

    It is replaced as a whole in one step, and never through a symbolic link. On removal a file that
    we made is deleted (after a copy of somebody's edits is kept), and content that we overwrote is
    put back. `ensure: absent` keeps a copy and deletes the file. A new content keeps its security
    label and, while the owner stays the same, its ACL and user attributes.
    """

    path: Annotated[str, Meta(description="Absolute path.", examples=["/etc/motd"])]
    content: Annotated[
        str | None,
        Meta(description="The whole content. Excludes `template`.", examples=["hello\n"]),
    ] = None
    template: Annotated[
        str | None,
        Meta(description="Id of a template of this module. Excludes `content`.", examples=["motd"]),
    ] = None
    source: Annotated[
        str | None,
        Meta(
            description=(
                "Where the host gets the content: `https://`, `http://`, `file:///`, or"
                " `artifact:` and its SHA-256. Needs `sha256`; excludes `content` and `template`."
            ),
            examples=["https://example.org/tool-1.2"],
        ),
    ] = None
    sha256: Annotated[
        str | None,
        Meta(
            description="SHA-256 of what `source` holds, in hex; nothing else gets into place.",
            examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
        ),
    ] = None
    owner: Annotated[
        str | None, Meta(description="User name, or a number as text.", examples=["root"])
    ] = None
    group: Annotated[
        str | None, Meta(description="Group name, or a number as text.", examples=["root"])
    ] = None
    mode: Annotated[
        str | None, Meta(description="Octal permission bits, quoted.", examples=["0644"])
    ] = None
    validate: Annotated[
        list[str] | None,
        Meta(
            description=(
                "A program and its arguments, run by an apply on the new file before it takes its"
                " place; `{file}` stands for its path. Anything but exit 0 leaves the old file."
            ),
            examples=[["/usr/sbin/sshd", "-t", "-f", "{file}"]],
        ),
    ] = None
    ensure: Annotated[
        Ensure, Meta(description="`absent` deletes the file, after a copy of it is kept.")
    ] = "present"


class FileObservation(msgspec.Struct, frozen=True):
    """A path as found; `digest` only for a regular file whose content is managed, or is to go.

    `text` is there to be shown: only of a file that every user of the host may read.
    """

    type: FileType
    mode: int
    owner: str
    group: str
    size: int = 0
    digest: str | None = None
    text: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at a path runs nothing."""
        return None

    @property
    def content(self) -> str | None:
        """The content's name; of one that is too large to be read, what is known of it."""
        if self.digest is None and self.size > MAX_CONTENT:
            return f"larger than {MAX_CONTENT} bytes: {self.size}"
        return _name(self.digest)

    def state(self) -> Json:
        """Return what a decision binds."""
        return {
            "type": self.type,
            "mode": self.mode,
            "owner": self.owner,
            "group": self.group,
            "content": self.content,
        }


class FileUnix:
    """Regular files."""

    name = "file-unix"
    spec_type: type[msgspec.Struct] = FileUnixSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path, mode, owner, and of where the content comes from."""
        file = _spec(spec)
        problems = check_path("path", file.path)
        if file.content is not None and file.template is not None:
            message = "`content` and `template` exclude each other"
            problems.append(SpecProblem("template", message, "keep one of the two"))
        problems += check_source(file.source, file.sha256)
        if file.source is not None and (file.content, file.template) != (None, None):
            message = "`source` excludes `content` and `template`"
            problems.append(SpecProblem("source", message, "keep one of them"))
        problems += check_mode(file.mode)
        problems += check_account("owner", file.owner)
        problems += check_account("group", file.group)
        if file.validate is not None:
            contents = (file.content, file.template, file.source)
            problems += check_command(file.validate, managed=contents != (None, None, None))
        others = (file.content, file.template, file.source, file.owner, file.group, file.mode)
        return problems + check_alone(file.ensure, others)

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path."""
        del resource_id
        path = spec.get("path")
        return path if isinstance(path, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the path."""
        return (_spec(spec).path,)

    def runs_code(self, spec: Spec) -> bool:
        """Looking at a file runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> Glance | None:
        """Return the whole desired state, if any: one lstat and the stat cache can confirm it."""
        file = _spec(spec)
        if file.ensure == "absent":
            return None
        mode = mode_bits(file.mode)
        return Glance(file.path, "file", mode, file.owner, file.group, _wanted(file))

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> FileObservation | None:
        """Return what stands at the path; content is read only where it has to be shown."""
        file = _spec(spec)
        stat = ports.files.stat(file.path)
        if stat is None:
            return None
        digest: str | None = None
        text: str | None = None
        wanted = _wanted(file)
        if stat.type == "file" and (file.ensure == "absent" or wanted is not None):
            if stat.size <= MAX_CONTENT:
                digest = ports.files.digest(file.path, verify=verify)
            if file.content is None:
                text = None
            elif stat.size <= MAX_SHOWN and digest != wanted:
                text = _text(ports.files.read_public(file.path, MAX_SHOWN))
        owner = user_as(file.owner, stat.uid, ports.accounts)
        group = group_as(file.group, stat.gid, ports.accounts)
        return FileObservation(stat.type, stat.mode, owner, group, stat.size, digest, text)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error if something else stands in the file's place."""
        file = _spec(spec)
        absent = file.ensure == "absent"
        if observation is None and absent:
            return Difference("none")
        if observation is None:
            return Difference("create", _created(file), _note(file))
        found = _found(observation)
        if found.type != "file":
            message = f"{file.path} is a {_TYPE_WORDS[found.type]}, not a regular file"
            return Difference("error", message=f"{message}; move it away or name another path")
        if absent:
            return _to_go(file, found)
        changes: list[Change] = []
        note: str | None = None
        wanted = _wanted(file)
        if wanted is not None and found.digest != wanted:
            text = found.text if found.text is not None else _our_text(found, context.left)
            changes.append(_content_change(file, wanted, found, text))
            note = _note(file)
            if file.content is not None and text is None and found.size <= MAX_SHOWN:
                hidden = "its content is not shown: it is binary, or not every user may read it"
                note = hidden if note is None else f"{note}; {hidden}"
        for field, current, desired in (
            ("owner", found.owner, file.owner),
            ("group", found.group, file.group),
        ):
            if desired is not None and current != desired:
                changes.append(Change(field, current, desired))
        bits = mode_bits(file.mode)
        if bits is not None and bits != found.mode:
            changes.append(Change("mode", mode_text(found.mode), mode_text(bits)))
        return Difference("update" if changes else "none", tuple(changes), note)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return one atomic write, or one change of attributes where that is as safe.

        A file that somebody else could write to is made anew: he may still hold it open, and would
        go on writing to what is meant to be ours.
        """
        file = _spec(spec)
        if file.ensure == "absent":
            return (RemoveFile(file.path, backup=True),) if difference.action == "update" else ()
        mode = mode_bits(file.mode)
        fields = {change.field for change in difference.changes}
        anew = _wanted(file) is not None and _was_open_to_others(difference)
        if difference.action == "create" or "content" in fields or anew:
            content = (file.content or "").encode()
            check = tuple(file.validate or ())
            if file.source is not None and file.sha256 is not None:
                whole = (file.source, file.sha256, mode, file.owner, file.group, check)
                return (WriteSource(file.path, *whole),)
            return (WriteFile(file.path, content, mode, file.owner, file.group, check),)
        if difference.action == "update":
            return (SetAttributes(file.path, mode, file.owner, file.group),)
        return ()

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: delete what we created, restore what we overwrote, leave the rest alone."""
        file = _spec(spec)
        if file.ensure == "absent":
            return Undo(message="forgotten: a copy of what was deleted is kept")
        if observation is None:
            return Undo(message="already gone")
        found = _found(observation)
        if found.type != "file":
            return Undo(message=f"kept: it is a {_TYPE_WORDS[found.type]} now")
        if applied.created:
            # An edit by someone else goes into a kept copy first: deleting never loses data.
            ours = _wanted(file) is not None and found.digest == _wanted(file)
            message = "delete the file" if ours else "delete the file, keeping a copy"
            return Undo((RemoveFile(file.path, backup=not ours),), message=message)
        if applied.pre_image is not None:
            step = RestoreFile(
                file.path, applied.pre_image, applied.pre_mode, applied.pre_uid, applied.pre_gid
            )
            change = Change("content", _name(found.digest), _name(applied.pre_image))
            return Undo((step,), (change,), "restore the content that was there before")
        return Undo(message="kept: it was there before us")


_TYPE_WORDS: dict[FileType, str] = {
    "file": "regular file",
    "directory": "directory",
    "symlink": "symbolic link",
    "other": "special file",
}


def _spec(spec: Spec) -> FileUnixSpec:
    return msgspec.convert(spec, FileUnixSpec)


def _found(observation: Observation) -> FileObservation:
    if not isinstance(observation, FileObservation):
        raise TypeError(f"file-unix was handed {type(observation).__name__}")
    return observation


def _wanted(file: FileUnixSpec) -> str | None:
    """Return the SHA-256 of the content that is managed, or None."""
    return file.sha256 if file.content is None else _digest(file.content.encode())


def _note(file: FileUnixSpec) -> str | None:
    # The address and the arguments may hold what is not to be shown.
    notes = [] if file.source is None else ["fetched from its source"]
    if file.validate:
        notes.append(f"checked first with {file.validate[0]}")
    return "; ".join(notes) or None


def _to_go(file: FileUnixSpec, found: FileObservation) -> Difference:
    if found.size > MAX_CONTENT:
        message = f"{file.path} is too large for a copy to be kept; delete it by hand"
        return Difference("error", message=message)
    return Difference("update", (Change("ensure", "present", "absent"),), "a copy of it is kept")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _name(digest: str | None) -> str | None:
    return None if digest is None else f"sha256:{digest}"


def _was_open_to_others(difference: Difference) -> bool:
    others_write = 0o022
    return any(
        change.field in {"owner", "group"}
        or (change.field == "mode" and int(change.current or "0", 8) & others_write)
        for change in difference.changes
    )


def _our_text(found: FileObservation, left: Spec | None) -> str | None:
    """Return the content as an earlier apply left it, if it still stands: no secret then."""
    content = None if left is None else left.get("content")
    if isinstance(content, str) and _digest(content.encode()) == found.digest:
        return content
    return None


def _text(data: bytes | None) -> str | None:
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _created(file: FileUnixSpec) -> tuple[Change, ...]:
    changes: list[Change] = []
    if (wanted := _wanted(file)) is not None:
        text = file.content
        diff = () if text is None else text_diff.unified("", text, file.path, created=True)
        changes.append(Change("content", None, _name(wanted), diff=diff))
    pairs = (("owner", file.owner), ("group", file.group), ("mode", file.mode))
    changes += [Change(field, None, desired) for field, desired in pairs if desired is not None]
    return tuple(changes)


def _content_change(
    file: FileUnixSpec, wanted: str, found: FileObservation, text: str | None
) -> Change:
    diff: tuple[str, ...] = ()
    if text is not None and file.content is not None and len(file.content) <= MAX_SHOWN:
        diff = text_diff.unified(text, file.content, file.path)
    return Change("content", found.content, _name(wanted), diff=diff)
