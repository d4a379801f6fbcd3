"""Text to `Module`: the shape of a module file, every mistake with its line and column.

What a shape cannot tell (unknown ids, kinds' own rules, ties) is `validate`.
"""

from __future__ import annotations

import hashlib

from protocol.canonical import Json
from state_engine.language import for_each, parameters
from state_engine.language.clauses import read_clause
from state_engine.language.places import Places
from state_engine.language.problems import Findings, Place, quote
from state_engine.language.published import KINDS
from state_engine.language.shape import (
    Keys,
    is_nothing,
    take_choice,
    take_integer,
    take_keys,
    take_list,
    take_map,
    take_name,
    take_names,
    take_text,
)
from state_engine.language.yaml_tree import Node, YamlEntry, YamlMap, parse, plain
from state_engine.model import (
    Clause,
    Module,
    OnDrift,
    OnRemove,
    Problem,
    Resource,
    Template,
    Variant,
)

# Every module a person writes is smaller; scripts and files beyond this belong into a package.
MAX_BYTES = 262_144

MODULE = Keys(
    "a module",
    ("name", "supports", "requires", "parameters", "templates", "resources"),
    ("name",),
)
TEMPLATE = Keys("a template", ("id", "content"), ("id", "content"))
RESOURCE = Keys(
    "a resource",
    (
        "id",
        "name",
        "depends_on",
        "for_each",
        "resource",
        "variants",
        "else",
        "on_remove",
        "timeout",
        "on_drift",
    ),
)
VARIANT = Keys("a variant", ("when", "priority", "resource"), ("when", "resource"))
# More steps than that are no order that a person keeps in mind.
MAX_PRIORITY = 1_000
ON_REMOVE: tuple[OnRemove, ...] = ("keep", "delete", "undo")
ON_DRIFT: tuple[OnDrift, ...] = ("report", "repair")
# A day: whatever takes longer is no step towards a state.
MAX_TIMEOUT = 86_400


def load_module(data: bytes, file: str = "<memory>") -> tuple[Module | None, list[Problem]]:
    """Return the module that a file's bytes hold, or None and what is wrong; never raises.

    Only the shape is checked; `validate.check_text` checks everything.
    """
    findings = Findings(file)
    module = read(data, findings)
    return (None if findings.failed else module), findings.sorted()


def read(data: bytes, findings: Findings) -> Module | None:
    """Return as much of a module as can be read, so that more mistakes are found in one go.

    If `findings.failed`, parts of the module are missing. None if there is no mapping at all.
    """
    text = decode(data, findings)
    root = None if text is None else parse(text, findings)
    if text is None or root is None:
        return None
    table = take_map(root, "a module", root.place, findings)
    if table is None:
        return None
    found = take_keys(table, MODULE, findings)
    name = None
    if "name" in found:
        name = _module_name(found["name"], findings)
    return Module(
        name=name or "",
        sha256=hashlib.sha256(data).hexdigest(),
        supports=_supports(found.get("supports"), table.place, findings),
        templates=_templates(found.get("templates"), findings),
        resources=_resources(found.get("resources"), findings),
        file=findings.file,
        places=Places(text),
        parameters=parameters.read(found.get("parameters"), findings),
        requires=take_names(found["requires"], findings) if "requires" in found else (),
    )


def decode(data: bytes, findings: Findings) -> str | None:
    """Return the text of a file, or None if it is too large or not UTF-8."""
    if len(data) > MAX_BYTES:
        message = f"the file has more than {MAX_BYTES} bytes"
        findings.add((1, 1), "too-large", message, hint="split it into several modules")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        findings.add((line, column), "encoding", message, hint="save the file as UTF-8")
        return None


def _module_name(entry: YamlEntry, findings: Findings) -> str | None:
    name = take_name(entry.node, "the module's `name`", entry.value_place, findings)
    if name is not None and "/" in name:
        message = f"the module's `name` {quote(name)} holds a `/`"
        hint = "`/` parts a module from its resources in `module/identity`"
        findings.add(entry.value_place, "name", message, hint=hint)
    return name


def _supports(
    entry: YamlEntry | None, root: Place, findings: Findings
) -> tuple[Clause, ...]:  # fmt: skip
    items = () if entry is None else take_list(entry, findings)
    if not items:
        findings.add(
            entry.place if entry else root,
            "supports",
            "`supports` lists no clause, so the module fits no node",
            hint="for all Linux hosts write `supports: [{platform: linux}]`",
        )
    return tuple(read_clause(item, "a `supports` clause", findings) for item in items)


def _templates(entry: YamlEntry | None, findings: Findings) -> tuple[Template, ...]:
    if entry is None:
        return ()
    return tuple(_template(item, findings) for item in take_list(entry, findings))


def _template(node: Node, findings: Findings) -> Template:
    name = content = None
    table = take_map(node, "a template", node.place, findings)
    if table is not None:
        found = take_keys(table, TEMPLATE, findings)
        name = _name_of(found.get("id"), "the template's `id`", findings)
        if (body := found.get("content")) is not None:
            content = take_text(body.node, "`content`", body.value_place, findings)
    return Template(name or "", content or "", node.place[0])


def _name_of(entry: YamlEntry | None, what: str, findings: Findings) -> str | None:
    if entry is None:
        return None
    return take_name(entry.node, what, entry.value_place, findings)


def _resources(entry: YamlEntry | None, findings: Findings) -> tuple[Resource, ...]:
    if entry is None:
        return ()
    return tuple(_resource(item, findings) for item in take_list(entry, findings))


def _resource(node: Node, findings: Findings) -> Resource:
    line = node.place[0]
    table = take_map(node, "a resource", node.place, findings)
    if table is None:
        return Resource(line=line)
    found = take_keys(_unwrapped(table, findings), RESOURCE, findings)
    single, several = found.get("resource"), found.get("variants")
    kind: str | None = None
    spec: dict[str, Json] = {}
    variants: tuple[Variant, ...] = ()
    if single is not None and several is not None:
        message = "a resource has `resource` or `variants`, not both"
        findings.add(several.place, "resource-form", message)
    elif single is not None:
        kind, spec = _kind(single, findings)
    elif several is not None:
        items = take_list(several, findings)
        if not items:
            findings.add(several.place, "resource-form", "`variants` is empty")
        variants = tuple(_variant(item, findings) for item in items)
    elif not any(entry.key in KINDS for entry in table.entries):
        findings.add(node.place, "resource-form", "a resource needs `resource` or `variants`")
    name, label, depends = found.get("id"), found.get("name"), found.get("depends_on")
    return Resource(
        id=None if is_nothing(name) else _name_of(name, "the resource's `id`", findings),
        name=None if is_nothing(label) else _name_of(label, "the resource's `name`", findings),
        depends_on=() if depends is None else take_names(depends, findings),
        kind=kind,
        spec=spec,
        variants=variants,
        line=line,
        or_skip=_or_skip(found.get("else"), several, findings),
        on_remove=_on_remove(found.get("on_remove"), findings),
        for_each=for_each.read(found.get("for_each"), findings),
        timeout=_timeout(found.get("timeout"), findings),
        on_drift=_on_drift(found.get("on_drift"), findings),
    )


def _or_skip(entry: YamlEntry | None, several: YamlEntry | None, findings: Findings) -> bool:
    if entry is None or is_nothing(entry):
        return False
    if several is None:
        message = "`else` needs `variants`: a single `resource` is for every node"
        findings.add(entry.place, "resource-form", message)
    return take_choice(entry, ("skip",), findings) is not None


def _on_remove(entry: YamlEntry | None, findings: Findings) -> OnRemove:
    if entry is None or is_nothing(entry):
        return "undo"
    chosen: OnRemove | None = take_choice(entry, ON_REMOVE, findings)
    return chosen or "undo"


def _timeout(entry: YamlEntry | None, findings: Findings) -> float | None:
    if entry is None or is_nothing(entry):
        return None
    return take_integer(entry, 1, MAX_TIMEOUT, findings)


def _on_drift(entry: YamlEntry | None, findings: Findings) -> OnDrift:
    if entry is None or is_nothing(entry):
        return "report"
    chosen: OnDrift | None = take_choice(entry, ON_DRIFT, findings)
    return chosen or "report"


def _unwrapped(table: YamlMap, findings: Findings) -> YamlMap:
    """Report kinds that stand beside `id` instead of under `resource`, and take them out."""
    kinds = [entry for entry in table.entries if entry.key in KINDS]
    for entry in kinds:
        message = f"kind `{entry.key}` must stand under `resource`"
        findings.add(entry.place, "resource-form", message, hint=f"resource: {{{entry.key}: ...}}")
    if not kinds:
        return table
    rest = tuple(entry for entry in table.entries if entry.key not in KINDS)
    return YamlMap(rest, table.place, table.size, table.height)


def _variant(node: Node, findings: Findings) -> Variant:
    line = node.place[0]
    table = take_map(node, "a variant", node.place, findings)
    if table is None:
        return Variant(Clause(()), "", {}, line)
    found = take_keys(table, VARIANT, findings)
    when, single = found.get("when"), found.get("resource")
    clause = Clause(()) if when is None else read_clause(when.node, "a `when` clause", findings)
    kind, spec = (None, {}) if single is None else _kind(single, findings)
    rank = found.get("priority")
    priority = None
    if rank is not None and not is_nothing(rank):
        priority = take_integer(rank, -MAX_PRIORITY, MAX_PRIORITY, findings)
    return Variant(clause, kind or "", spec, line, priority or 0)


def _kind(entry: YamlEntry, findings: Findings) -> tuple[str | None, dict[str, Json]]:
    """Return the one kind that a `resource` names, with its fields as written."""
    table = take_map(entry.node, "`resource`", entry.value_place, findings)
    if table is None:
        return None, {}
    if len(table.entries) != 1:
        names = ", ".join(quote(kind.key) for kind in table.entries[:5]) or "none"
        message = f"`resource` must name exactly one kind; it names {names}"
        findings.add(entry.place, "one-kind", message)
        return None, {}
    kind = table.entries[0]
    fields = take_map(kind.node, f"the fields of {quote(kind.key)}", kind.value_place, findings)
    if fields is None:
        return None, {}
    spec = plain(fields, findings)
    return kind.key, spec if isinstance(spec, dict) else {}
