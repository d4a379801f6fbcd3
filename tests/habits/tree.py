"""The repository as the habits see it: its files, and its Python as syntax trees."""

from __future__ import annotations

import ast
import functools
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

PRODUCT = ("agent", "client", "coordinator", "protocol", "state_engine")
SUPPORT = ("benchmarks", "devtools", "tests")

# Folders of ours begin with no dot but for these; used when git cannot tell.
DOTTED = frozenset({".ci", ".github"})
MADE = frozenset({"__pycache__", "build", "dist", "node_modules"})


@functools.cache
def python_files(*folders: str) -> tuple[str, ...]:
    """Returns the Python files of the folders, relative to the root, sorted."""
    return tuple(
        sorted(
            str(path.relative_to(ROOT))
            for folder in folders
            for path in (ROOT / folder).rglob("*.py")
            if not MADE.intersection(path.parts)
        )
    )


def is_ours(path: Path) -> bool:
    """Says whether a path, relative to the root, lies in no folder that some program made."""
    return not any(
        part in MADE or part.endswith(".egg-info") or (part[0] == "." and part not in DOTTED)
        for part in path.parts[:-1]
    )


@functools.cache
def own_files() -> tuple[str, ...]:
    """Returns every file that is or would be under version control, sorted."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        # An unpacked archive has no git, and git refuses a checkout that another user owns.
        return tuple(
            sorted(
                str(path.relative_to(ROOT))
                for path in ROOT.rglob("*")
                if path.is_file() and is_ours(path.relative_to(ROOT))
            )
        )
    return tuple(sorted(name for name in done.stdout.split("\0") if (ROOT / name).is_file()))


@functools.cache
def text(name: str) -> str:
    """Returns a file's text; bytes that are not UTF-8 are replaced."""
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


@functools.cache
def tree(name: str) -> ast.Module:
    """Returns a Python file's syntax tree."""
    return ast.parse(text(name), filename=name)


def calls(name: str) -> Iterator[ast.Call]:
    """Yields every call of a file."""
    return (node for node in ast.walk(tree(name)) if isinstance(node, ast.Call))


def dotted(node: ast.expr) -> str:
    """Returns `a.b.c` for such an expression (a subscript is looked through), or its end."""
    if isinstance(node, ast.Subscript):
        return dotted(node.value)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def functions(
    node: ast.AST, prefix: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yields every function below a node with its qualified name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{child.name}", child
            yield from functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from functions(child, f"{prefix}{child.name}.")
        else:
            yield from functions(child, prefix)


def enclosing(name: str, line: int) -> str:
    """Returns the qualified name of the innermost function round a line, or `<module>`."""
    best, size = "<module>", 10**9
    for qualified, function in functions(tree(name)):
        end = function.end_lineno or function.lineno
        if function.lineno <= line <= end and end - function.lineno < size:
            best, size = qualified, end - function.lineno
    return best
