"""The page of attacks: what the tests named hostile try, and by which code each is refused.

Read from the tests' own text, so that the page cannot promise what no test holds it to.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from protocol.reasons import Reason

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "hostile"
HEAD = """\
# Attacks

What a stolen coordinator, a hostile module, a stranger on the network or another user of the host
may try, and what becomes of it. Each line is a test in `tests/hostile`, which fails if it stops
being true; where a refusal has a code, [what it means](reasons.md) stands beside the others. Above
them stand an exhaustive search (`tests/property/test_trust_model.py`) and the proof that the tests
notice every small fault in the code that decides (`./dev mutate`).
"""


class Row(NamedTuple):
    """One attack: what is tried or promised, the codes that refuse it, the test."""

    attack: str
    codes: tuple[str, ...]
    test: str


def page(note: str) -> str:
    """Return the whole page."""
    lines = [note, HEAD]
    for path in sorted(FOLDER.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        title = (ast.get_docstring(tree) or path.stem).split("\n\n")[0].replace("\n", " ")
        lines += [f"## {title.rstrip('.')}\n", f"`tests/hostile/{path.name}`\n"]
        lines += ["| What is tried, or what holds | Refused as |", "|---|---|"]
        lines += [line(row) for row in rows(tree)]
        lines.append("")
    return "\n".join(lines)


def line(row: Row) -> str:
    """Return the row of a table in Markdown."""
    codes = " ".join(f"`{code}`" for code in row.codes)
    return f"| {row.attack.replace('|', chr(92) + '|')} | {codes} |"


def rows(tree: ast.Module) -> Iterator[Row]:
    """Yield the attacks that stand in tables of a file, then those that are tests of their own."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            target = node.target.id if isinstance(node.target, ast.Name) else ""
            if target == "ATTACKS":
                yield from _table(node.value)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith(
            "test_"
        ):
            text = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            name = node.name.removeprefix("test_").replace("_", " ")
            yield Row(f"**{name}**: {text}".removesuffix(": "), codes_of(node), node.name)


def _table(table: ast.Dict) -> Iterator[Row]:
    for key, value in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield Row(key.value, codes_of(value), "ATTACKS")


def codes_of(node: ast.AST) -> tuple[str, ...]:
    """Return the codes of refusals that a piece of a test names, in order, each once."""
    known = {reason.value for reason in Reason}
    found: dict[str, None] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and part.value in known:
            found[str(part.value)] = None
        elif (
            isinstance(part, ast.Attribute)
            and isinstance(part.value, ast.Name)
            and part.value.id == "Reason"
            and part.attr in Reason.__members__
        ):
            found[Reason[part.attr].value] = None
    return tuple(found)
