"""What the kinds share that manage a part of a text file: a line, a block, a setting.

Only the part is bound and shown: a change elsewhere in the file neither makes an approval stale nor
is given away. Mode and owner of the file stay as they are.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import FileType, Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    EditFile,
    Observation,
    RemoveFile,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import text_lines
from state_engine.resources.parts.unix_paths import Ensure

# The largest file of which a part is managed: it is read and taken apart at every look.
MAX_FILE = 1_048_576
MAX_SHOWN = 500
HIDDEN = "(not shown: not every user may read the file)"


class Part(msgspec.Struct, frozen=True):
    """What is the same in all such specifications. `create`: a missing file may be made."""

    path: str
    ensure: Ensure = "present"
    create: bool = False


class Verdict(msgspec.Struct, frozen=True):
    """What a content says about the part, and the content as it ought to be.

    `there`: the part stands there in some form. `facts` are what a decision binds. `problem`: what
    keeps the content from being changed.
    """

    edited: bytes
    there: bool
    facts: dict[str, Json]
    changes: tuple[Change, ...] = ()
    problem: str | None = None


class PartObservation(msgspec.Struct, frozen=True):
    """A file as found, with the verdict about its part. `public`: every user may read it."""

    type: FileType | None
    content: bytes
    verdict: Verdict | None
    problem: str | None = None
    public: bool = True

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at a file runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: the kind of object, and the part."""
        facts = {} if self.verdict is None else self.verdict.facts
        return {"type": self.type, "problem": self.problem is not None, **facts}


class FilePart(ABC):
    """The members of a kind that follow from where its part stands and how a content is judged."""

    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    @abstractmethod
    def part(self, spec: Spec) -> Part:
        """Return the common part of a specification."""

    @abstractmethod
    def judge(self, spec: Spec, content: bytes) -> Verdict:
        """Return what a content says, and how it ought to be; doing it twice does it once."""

    @abstractmethod
    def taken_out(self, spec: Spec, content: bytes) -> bytes:
        """Return the content without what we have added, if it still stands as we added it."""

    def is_bare(self, content: bytes) -> bool:
        """Say whether a content says nothing, so that a file that we made for ours can go."""
        return not content.strip()

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file's path."""
        return (self.part(spec).path,)

    def runs_code(self, spec: Spec) -> bool:
        """Looking at a file runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Only the content can tell."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> PartObservation:
        """Return the file with the verdict about its part; the file is read at every look."""
        del verify
        path = self.part(spec).path
        stat = ports.files.stat(path)
        if stat is None:
            return PartObservation(None, b"", self.judge(spec, b""))
        if stat.type != "file":
            word = "a symbolic link" if stat.type == "symlink" else f"a {stat.type}"
            problem = f"{path} is {word}, not a regular file; name the file itself"
            return PartObservation(stat.type, b"", None, problem)
        content = b"" if stat.size > MAX_FILE else ports.files.read(path, MAX_FILE + 1)
        if max(stat.size, len(content)) > MAX_FILE:
            problem = f"{path} is larger than {MAX_FILE} bytes: parts of it are not managed"
            return PartObservation(stat.type, b"", None, problem)
        if b"\0" in content:
            return PartObservation(stat.type, b"", None, f"{path} is not a text file")
        public = ports.files.read_public(path, 0) is not None
        return PartObservation(stat.type, content, self.judge(spec, content), public=public)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create or update with the edit as its step, none, or error."""
        found, part = _found(observation), self.part(spec)
        verdict = found.verdict
        problem = found.problem or (verdict.problem if verdict else None)
        if verdict is None or problem is not None:
            return Difference("error", message=problem)
        if found.type is None and part.ensure == "present" and not part.create:
            message = f"{part.path} does not exist; `create: true` would make it"
            return Difference("error", message=message)
        made = found.type is None and part.ensure == "present"
        if verdict.edited == found.content and not made:
            return Difference("none")
        expected = None if found.type is None else hashlib.sha256(found.content).hexdigest()
        adds = part.ensure == "present" and not verdict.there
        return Difference(
            "create" if adds else "update",
            tuple(_shown(change, found, context) for change in verdict.changes),
            steps=(EditFile(part.path, verdict.edited, expected),),
        )

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return the edit that the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: take out what we added, and a file that was made for it; the rest stays."""
        found, part = _found(observation), self.part(spec)
        if part.ensure == "absent":
            return Undo(message="forgotten: what was taken out is not put back")
        if found.type is None:
            return Undo(message="already gone")
        if found.problem is not None:
            return Undo(message=f"kept: {found.problem}")
        if not applied.created:
            return Undo(message="kept: it was there before us")
        left = self.taken_out(spec, found.content)
        if left == found.content:
            return Undo(message="kept: it is gone, or was changed by somebody else")
        change = Change("ensure", "present", "absent")
        if applied.pre_mode is None and self.is_bare(left):
            step = RemoveFile(part.path, backup=True)
            return Undo(
                (step,), (change,), "delete the file: we made it, and nothing else is in it"
            )
        edit = EditFile(part.path, left, hashlib.sha256(found.content).hexdigest())
        return Undo((edit,), (change,), "take it out of the file")


def path_of(spec: Spec, field: str = "path") -> str | None:
    """Return a text of a specification that need not be valid."""
    value = spec.get(field)
    return value if isinstance(value, str) else None


def needed(field: str, ensure: Ensure) -> SpecProblem:
    """Return the problem of a field that only `ensure: absent` can do without."""
    return SpecProblem(field, f"`ensure: {ensure}` needs the field `{field}`")


def _found(observation: Observation | None) -> PartObservation:
    if not isinstance(observation, PartObservation):
        raise TypeError(f"a part of a file was handed {type(observation).__name__}")
    return observation


def _shown(change: Change, found: PartObservation, context: Context) -> Change:
    """Return a change with nothing of a private file that an earlier apply did not put there."""
    if change.field == "ensure":
        return change
    current, desired = change.current, change.desired
    if current is not None and not found.public and current not in (context.left or {}).values():
        return Change(change.field, HIDDEN, _cut(desired))
    if change.diff:
        current, desired = _name(current), _name(desired)
    diff = tuple(_sendable(line) for line in change.diff)
    return Change(change.field, _cut(current), _cut(desired), diff=diff)


def _name(text: str | None) -> str | None:
    return None if text is None else f"sha256:{text_lines.digest(text)}"


def _cut(text: str | None) -> str | None:
    if text is None:
        return None
    return _sendable(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…")


def _sendable(text: str) -> str:
    # Undecodable bytes must not reach a message, which is UTF-8.
    return text.encode("utf-8", "replace").decode()
