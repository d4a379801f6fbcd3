"""The values that pass between the parts of the engine: modules, resolved resources, applied state.

The language makes them, the engine reads them; neither changes them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from protocol.canonical import Json

Severity = Literal["error", "warning"]


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong in a module file: where, what, and what would be right."""

    file: str
    line: int
    message: str
    severity: Severity = "error"
    hint: str | None = None
    column: int = 1
    code: str = ""

    def __str__(self) -> str:
        """Return `file:line:column: severity: message (hint)`, the form that editors follow."""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}{hint}"


class ResourceKey(NamedTuple):
    """Names a resource on a host: a module, a kind and an identity (a path, a script's name)."""

    module: str
    kind: str
    identity: str

    @property
    def address(self) -> str:
        """The form people read and script output is stored under: `module/identity`."""
        return f"{self.module}/{self.identity}"


class Clause(msgspec.Struct, frozen=True):
    """Conditions that must all equal the node's attributes; `tag.x` keys ask its tags."""

    terms: tuple[tuple[str, str], ...]


class Variant(msgspec.Struct, frozen=True):
    """One alternative of a resource, taken when its clause is the most specific that matches."""

    when: Clause
    kind: str
    spec: dict[str, Json]
    line: int = 0


class Resource(msgspec.Struct, frozen=True):
    """A resource as a module declares it: exactly one of `kind` with `spec`, or `variants`.

    `spec` is the mapping as written (templates and expressions not resolved yet).
    """

    id: str | None = None
    name: str | None = None
    depends_on: tuple[str, ...] = ()
    kind: str | None = None
    spec: dict[str, Json] = {}
    variants: tuple[Variant, ...] = ()
    line: int = 0


class Template(msgspec.Struct, frozen=True):
    """A text that resources of the same module share by id."""

    id: str
    content: str
    line: int = 0


class Module(msgspec.Struct, frozen=True):
    """A parsed module file; `sha256` is its version: the hash of the exact bytes.

    `places` maps JSON pointers into the file to (line, column), for problems found after loading;
    it is empty for a module that was not read from text.
    """

    name: str
    sha256: str
    supports: tuple[Clause, ...] = ()
    templates: tuple[Template, ...] = ()
    resources: tuple[Resource, ...] = ()
    file: str = "<memory>"
    places: dict[str, tuple[int, int]] = {}


class NodeFacts(msgspec.Struct, frozen=True):
    """What a module may ask about the node it is resolved for."""

    node_id: str
    name: str
    attributes: dict[str, str]
    tags: dict[str, str] = {}


class ResolvedTrigger(msgspec.Struct, frozen=True):
    """Resources whose change makes this one act: `rerun`, `reload` or `restart`."""

    kind: Literal["reload", "restart", "rerun"]
    on: tuple[ResourceKey, ...]


class ResolvedResource(msgspec.Struct, frozen=True):
    """A resource with every choice made: one variant, templates put in, expressions resolved.

    `spec` holds only plain values and satisfies the kind's `Spec` struct. `sensitive` names the
    fields of `spec` that must not be shown. `trusted` says that the module version carries a
    signature that holds, so that commands inside it may run during a plan. `depends_on` already
    contains the trigger edges.
    """

    module: str
    kind: str
    identity: str
    spec: dict[str, Json]
    id: str | None = None
    name: str | None = None
    depends_on: tuple[ResourceKey, ...] = ()
    triggers: tuple[ResolvedTrigger, ...] = ()
    sensitive: tuple[str, ...] = ()
    trusted: bool = False

    @property
    def key(self) -> ResourceKey:
        """The resource's name on its host."""
        return ResourceKey(self.module, self.kind, self.identity)


class AppliedResource(msgspec.Struct, frozen=True, omit_defaults=True):
    """A resource that an apply left as desired, kept until it is removed.

    `created` says that the object did not exist before we made it (so we may delete it).
    `pre_image` is the SHA-256 of the content that we overwrote, if it was kept; `pre_mode`,
    `pre_uid` and `pre_gid` are the attributes that object had before we first touched it.
    `incomplete`: no apply left it as desired yet, but something of it may be there to be removed.
    """

    resource: ResolvedResource
    created: bool = False
    pre_image: str | None = None
    pre_mode: int | None = None
    pre_uid: int | None = None
    pre_gid: int | None = None
    incomplete: bool = False


class Snapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host holds by our hand: the outcome of its applies, what drift is judged against.

    `pending` lists triggers that fired and did not succeed yet: they stay until they do.
    """

    operation_id: str | None = None
    modules: tuple[str, ...] = ()
    applied: tuple[AppliedResource, ...] = ()
    pending: tuple[ResourceKey, ...] = ()
