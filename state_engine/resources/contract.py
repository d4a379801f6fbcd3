"""What a resource kind promises, and the values that pass between a kind and the engine.

A kind looks through the ports it is handed and answers with values; it changes nothing itself.
Carrying out steps is `engine.steps`; reading module files is `language`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, runtime_checkable

import msgspec

from protocol.canonical import Json
from protocol.reports import Action, CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource, CertificateWish
from state_engine.ports import FileType, Ports, ProgramCall

Spec = dict[str, Json]
# What a change may cost beside its own object; "connectivity": the way that we reach the host.
Risk = Literal["none", "connectivity"]
# In the arguments of a check: the path of the file to check.
PLACEHOLDER = "{file}"


class SpecProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field of a specification, and what would be right."""

    field: str
    message: str
    hint: str | None = None


class Glance(msgspec.Struct, frozen=True):
    """What one look at a path must show for nothing to be left to do; None is not managed.

    `digest` is the SHA-256 of the content, which only a stat cache can answer at a glance.
    """

    path: str
    type: FileType
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    digest: str | None = None


def _no_paths() -> frozenset[str]:
    return frozenset()


class Context(msgspec.Struct, frozen=True):
    """What a comparison may know beside the two states.

    `triggers`: how resources it reacts to, or a trigger still pending, make it act.
    `applied`: an earlier apply left it as desired. `acted`: its steps were just carried out, so
    only what the host shows may still differ. `left`: the specification that an earlier apply last
    worked towards, for a kind to know its own hand again; it holds nothing secret. `managed` gives
    the paths that some resource of the host manages or has managed.
    """

    triggers: tuple[TriggerKind, ...] = ()
    applied: bool = False
    acted: bool = False
    left: Spec | None = None
    managed: Callable[[], frozenset[str]] = _no_paths


class Observation(Protocol):
    """What was found on the host."""

    @property
    def captured(self) -> CapturedStream | None:
        """The output of a command that looking has run."""
        ...

    def state(self) -> Json:
        """Return the part that a decision binds: facts about the object, no text, no times."""
        ...


class Difference(msgspec.Struct, frozen=True):
    """What has to be done, and why; action `none` means nothing.

    `steps` is for a kind whose steps follow from what it found, which `Kind.steps` does not see.
    `binds` is what a decision binds beside the observed state, `removes` how many objects beside
    the resource's own are taken away, for the removal guard. `together` is what a `Batching` kind
    needs to do it in one go with others; None: only its own steps will do.
    """

    action: Action
    changes: tuple[Change, ...] = ()
    message: str | None = None
    steps: tuple[Step, ...] = ()
    binds: tuple[str, ...] = ()
    removes: int = 0
    together: str | None = None


class WriteFile(msgspec.Struct, frozen=True, tag=True):
    """Replace a file's content; None stays as the old file had it, else 0644 and our own.

    `check` is a program with arguments that has to accept the new file before it takes its place.
    """

    path: str
    content: bytes
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    check: tuple[str, ...] = ()


class WriteSource(msgspec.Struct, frozen=True, tag=True):
    """Replace a file's content with what an address holds; `sha256` is checked, always.

    The rest is as in `WriteFile`.
    """

    path: str
    url: str
    sha256: str
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    check: tuple[str, ...] = ()


class EditFile(msgspec.Struct, frozen=True, tag=True):
    """Put a file's changed content in its place, unless it was changed meanwhile.

    `expected` is the SHA-256 of what was read and changed; None: there was no file. The rest is as
    in `WriteFile`. "create" may edit a file: what was created is a part of it, and its removal
    takes out that part; the whole file is only put back by taking back the operation.
    """

    path: str
    content: bytes
    expected: str | None
    mode: int | None = None
    owner: str | None = None
    group: str | None = None


class RestoreFile(msgspec.Struct, frozen=True, tag=True):
    """Put a kept copy back; `owner` and `group` are numbers.

    `keep`: of what stands there now a copy is kept first, for it may hold somebody's edits.
    """

    path: str
    digest: str
    mode: int | None = None
    owner: int | None = None
    group: int | None = None
    keep: bool = True


class MakeDirectory(msgspec.Struct, frozen=True, tag=True):
    """Make one directory; defaults are 0755 and our own user and group."""

    path: str
    mode: int | None = None
    owner: str | None = None
    group: str | None = None


class SetAttributes(msgspec.Struct, frozen=True, tag=True):
    """Set owner, group and mode (in this order) of what stands at a path; None keeps."""

    path: str
    mode: int | None = None
    owner: str | None = None
    group: str | None = None


class RemoveFile(msgspec.Struct, frozen=True, tag=True):
    """Delete a file; `backup` keeps a copy of it first."""

    path: str
    backup: bool = False


class MakeSymlink(msgspec.Struct, frozen=True, tag=True):
    """Put a symbolic link in its place, instead of one that may stand there; None is our own."""

    path: str
    target: str
    owner: str | None = None
    group: str | None = None


class RemoveDirectory(msgspec.Struct, frozen=True, tag=True):
    """Delete a directory that is empty."""

    path: str


class RunScript(msgspec.Struct, frozen=True, tag=True):
    """Run a script body; anything but exit 0 is a failure. `phase` names its captured output.

    `explain` is run only after a failure; what it prints is added to the error.
    """

    call: ProgramCall
    phase: str
    explain: ProgramCall | None = None


class MakeCertificate(msgspec.Struct, frozen=True, tag=True):
    """Make a certificate or request, and its key where there is none or a `new_key` is asked for.

    `expected` is the digest of the key's public half as it was seen; None: there was no key.
    """

    path: str
    key: str
    wish: CertificateWish
    new_key: bool
    expected: str | None
    owner: str | None = None
    group: str | None = None


class Unpack(msgspec.Struct, frozen=True, tag=True):
    """Bring what an archive holds into a directory, or (`remove`) take it out again.

    `members` are paths in the directory, those that have to be written; an empty tuple is all.
    `digest` is the SHA-256 of the archive that was seen. What differs from the archive is replaced
    after a copy of it was kept, and is not removed.
    """

    source: str
    digest: str
    path: str
    strip: int = 0
    members: tuple[str, ...] = ()
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    remove: bool = False


Step = (
    WriteFile
    | WriteSource
    | EditFile
    | RestoreFile
    | MakeDirectory
    | MakeSymlink
    | SetAttributes
    | RemoveFile
    | RemoveDirectory
    | RunScript
    | MakeCertificate
    | Unpack
)


class Undo(msgspec.Struct, frozen=True):
    """How a resource that is no longer desired goes away; no steps means: left as it is."""

    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
    message: str | None = None


class Kind(Protocol):
    """One resource kind: pure functions over a specification that `validate` accepts."""

    @property
    def name(self) -> str:
        """The word that a module uses, for example `file-unix`."""
        ...

    @property
    def spec_type(self) -> type[msgspec.Struct]:
        """The fields, with their descriptions; unknown fields are refused."""
        ...

    @property
    def trigger_fields(self) -> Mapping[str, TriggerKind]:
        """The fields that list ids whose change makes this resource act."""
        ...

    @property
    def idempotent(self) -> bool:
        """Say whether doing it twice is the same as doing it once."""
        ...

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return what types cannot say, with no look outside (`spec` converts to `spec_type`)."""
        ...

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return what names the resource on its host, or None if it has no name."""
        ...

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the absolute paths whose change means: look again."""
        ...

    def runs_code(self, spec: Spec) -> bool:
        """Say whether observing runs commands of the module, which needs a trusted module."""
        ...

    def glance(self, spec: Spec) -> Glance | None:
        """Return what a cheap look can confirm, or None if only `observe` can tell."""
        ...

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> Observation | None:
        """Return what is there, or None; `verify` trusts no cache. Raises PortError."""
        ...

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return what differs and what has to be done about it."""
        ...

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what to do for a difference whose action is create, update or run."""
        ...

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return how it goes away; never deletes a person's data.

        `observation` is None too for a kind whose observation would run code.
        """
        ...


@runtime_checkable
class Reversible(Protocol):
    """A kind that can say before it acts how its act is taken back; an optional capability."""

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return the steps that bring back what was observed just before acting; () is: cannot.

        `copies` maps each path whose content was kept to the SHA-256 of the copy. The engine has
        made the steps durable before it acts.
        """
        ...


@runtime_checkable
class Risky(Protocol):
    """A kind whose changes may cut the host off; optional, as `risk: Risk = "connectivity"`."""

    @property
    def risk(self) -> Risk:
        """What a change may cost beside its own object."""
        ...


@runtime_checkable
class Purging(Protocol):
    """A kind whose desired resources may take away objects beside their own; optional."""

    def purges(self, spec: Spec) -> bool:
        """Say whether acting on a resource may do so."""
        ...


@runtime_checkable
class Batching(Protocol):
    """A kind that can do for several resources in one go what each one's steps would; optional."""

    def batch(self, together: tuple[str, ...]) -> tuple[Step, ...]:
        """Return the steps for several differences, named by their `together`, of two or more.

        They have to do all or leave it to each one's own steps: whoever runs them looks at each
        resource afterwards.
        """
        ...


def batching(kind: object) -> Batching | None:
    """Return a kind as one that can do several in one go, if it is one."""
    return kind if isinstance(kind, Batching) else None


def reversible(kind: object) -> Reversible | None:
    """Return a kind as one that can take back what it does, if it is one."""
    return kind if isinstance(kind, Reversible) else None


def purging(kind: object) -> Purging | None:
    """Return a kind as one whose resources may take away more than their own object."""
    return kind if isinstance(kind, Purging) else None


def risk_of(kind: object) -> Risk:
    """Return what changes of a kind may cost; "none" where it says nothing."""
    return kind.risk if isinstance(kind, Risky) else "none"
