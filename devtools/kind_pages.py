"""Writes a page for each resource kind, and their index, from the kinds' own specifications.

What a page shows as its example is the file `examples/kinds/KIND.ordo.yaml`, which a test applies.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state_engine.resources.contract import Kind

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "kinds"
_SIMPLE: dict[type[msgspec.inspect.Type], str] = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.NoneType: "",
    msgspec.inspect.AnyType: "any",
}
INDEX_HEAD = """\
# Resource kinds

Beside its kind a resource takes `id`, `name`, `depends_on` and the fields in
[modules](modules.md). Each page has the fields, what removal does, and an example that the tests
apply to a real Debian.

| Kind | What it manages |
|---|---|
"""


def pages(note: str) -> dict[str, str]:
    """Return every page below `docs/reference`: its path and its text, led by `note`."""
    from state_engine.resources.registry import KINDS

    rows = [f"| [{name}](kinds/{name}.md) | {_summary(kind)} |" for name, kind in _sorted(KINDS)]
    made = {"kinds.md": f"{note}\n{INDEX_HEAD}" + "\n".join(rows) + "\n"}
    return made | {f"kinds/{name}.md": page(note, kind) for name, kind in _sorted(KINDS)}


def page(note: str, kind: Kind) -> str:
    """Return one kind's page."""
    lines = [note, f"# {kind.name}\n", f"{_text(kind)}\n"]
    lines += ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    info = msgspec.inspect.type_info(kind.spec_type)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101  # a struct has a struct's info
    for field in info.fields:
        kind_of, note_of = described(field.type)
        shown = kind_of.replace("|", "or")
        lines.append(f"| `{field.encode_name}` | {shown} | {_default(field)} | {note_of} |")
    example = (EXAMPLES / f"{kind.name}.ordo.yaml").read_text(encoding="utf-8")
    lines += ["", "## Example\n", f"```yaml\n{example}```\n"]
    return "\n".join(lines)


def described(kind: msgspec.inspect.Type) -> tuple[str, str]:
    """Return a field's type in words, and what its description says."""
    if isinstance(kind, msgspec.inspect.Metadata):
        schema: object = getattr(kind, "extra_json_schema", None)
        extra = msgspec.convert(schema or {}, dict[str, object])
        return described(kind.type)[0], str(extra.get("description", ""))
    return _words(kind), ""


def _words(kind: msgspec.inspect.Type) -> str:
    match kind:
        case msgspec.inspect.LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in values)
        case msgspec.inspect.UnionType(types=types):
            return " or ".join(word for one in types if (word := described(one)[0]))
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return f"list of {described(kind.item_type)[0]}"
        case msgspec.inspect.DictType():
            return f"map of {described(kind.value_type)[0]}"
        case msgspec.inspect.StructType(fields=fields):
            return "map with " + ", ".join(f"`{field.encode_name}`" for field in fields)
        case _:
            return _SIMPLE.get(type(kind), "any")


def _default(field: msgspec.inspect.Field) -> str:
    if field.required:
        return "**required**"
    if field.default is msgspec.NODEFAULT:
        return "empty"
    if field.default is None or field.default is msgspec.UNSET:
        return ""
    return f"`{json.dumps(field.default, default=str)}`"


def _sorted(kinds: dict[str, Kind]) -> Iterable[tuple[str, Kind]]:
    return sorted(kinds.items())


def _text(kind: Kind) -> str:
    return inspect.cleandoc(kind.spec_type.__doc__ or "")


def _summary(kind: Kind) -> str:
    return _text(kind).partition("\n\n")[0].replace("\n", " ")
