"""The values that pass between the parts of the engine: modules, resolved resources, applied state.

The language makes them, the engine reads them; neither changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from protocol.canonical import Json

KeyType = Literal["ed25519", "ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"]
Severity = Literal["error", "warning"]
ParameterType = Literal["string", "integer", "boolean", "list", "map"]
# What becomes of a resource that is no longer desired: left and forgotten, deleted even if it was
# there before us, or what its kind does by default.
OnRemove = Literal["keep", "delete", "undo"]
# What becomes of a difference that nobody's decision made: told, or put right by itself as well.
OnDrift = Literal["report", "repair"]


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
    """One alternative of a resource; of those that match, priority decides, then specificity."""

    when: Clause
    kind: str
    spec: dict[str, Json]
    line: int = 0
    priority: int = 0


class Each(msgspec.Struct, frozen=True):
    """The item of a `for_each` that a resource stands for."""

    key: str
    value: Json


class Resource(msgspec.Struct, frozen=True):
    """A resource as a module declares it: exactly one of `kind` with `spec`, or `variants`.

    `spec` is the mapping as written (templates and expressions not resolved yet). `for_each` is as
    written too; where it was written out, `each` is the resource's item, `group` the id that all of
    them share. `origin` is the index in the file, None where it is the index in the module.
    `timeout` is in seconds, for looking and for acting each; None: only each program's own limit.
    """

    id: str | None = None
    name: str | None = None
    depends_on: tuple[str, ...] = ()
    kind: str | None = None
    spec: dict[str, Json] = {}
    variants: tuple[Variant, ...] = ()
    line: int = 0
    or_skip: bool = False
    on_remove: OnRemove = "undo"
    for_each: Json = None
    each: Each | None = None
    group: str | None = None
    origin: int | None = None
    timeout: float | None = None
    on_drift: OnDrift = "report"


class Template(msgspec.Struct, frozen=True):
    """A text that resources of the same module share by id."""

    id: str
    content: str
    line: int = 0


class Parameter(msgspec.Struct, frozen=True):
    """A value that whoever uses a module may choose; without a default (None) he must."""

    name: str
    type: ParameterType
    default: Json = None
    enum: tuple[Json, ...] = ()
    description: str | None = None


class Module(msgspec.Struct, frozen=True):
    """A parsed module file; `sha256` is its version: the hash of the exact bytes.

    `values` is None until parameters got values and every `for_each` was written out. `groups` then
    holds the ids of resources that were written out, with their index in the file.

    `places` maps JSON pointers into the file to (line, column), for problems found after loading;
    it is empty for a module that was not read from text.
    """

    name: str
    sha256: str
    supports: tuple[Clause, ...] = ()
    templates: tuple[Template, ...] = ()
    resources: tuple[Resource, ...] = ()
    file: str = "<memory>"
    places: Mapping[str, tuple[int, int]] = {}
    parameters: tuple[Parameter, ...] = ()
    requires: tuple[str, ...] = ()
    values: dict[str, Json] | None = None
    groups: tuple[tuple[str, int], ...] = ()


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
    on_remove: OnRemove = "undo"
    timeout: float | None = None
    on_drift: OnDrift = "report"

    @property
    def key(self) -> ResourceKey:
        """The resource's name on its host."""
        return ResourceKey(self.module, self.kind, self.identity)


class CertificateWish(msgspec.Struct, frozen=True):
    """What a certificate (or a request, which has no `days`) is to say.

    `names` are alternative names as `resources.parts.certificates.read_name` returns them.
    """

    subject: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    key_type: KeyType
    days: int
    request: bool = False


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
