"""Module files on disk: which ones the paths of a command name, and their bytes.

Reading is capped, so a huge file or a device is refused like any other file that is too large.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from state_engine.language.load import MAX_BYTES
from state_engine.language.problems import has_errors, nearest
from state_engine.language.validate import check_text
from state_engine.model import Module, Problem

Parameters = dict[str, dict[str, str]]
SUFFIXES = (".ordo.yaml", ".standfast.yaml")

PATHS = click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="PATHS...",
    type=click.Path(exists=True, readable=False),
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Loaded(msgspec.Struct, frozen=True):
    """The modules that are free of errors, and the problems of all files."""

    files: tuple[str, ...]
    modules: tuple[Module, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether no file has an error."""
        return not has_errors(self.problems)


def find(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files that paths name, each once: a file as given, a directory walked in order.

    Raises:
        click.UsageError: a directory holds no module file, so the path is likely mistyped.
    """
    found: dict[str, None] = {}
    for path in paths:
        if not Path(path).is_dir():
            found[path] = None
            continue
        inside = _walk(path)
        if not inside:
            raise click.UsageError(f"{path}: no file ends in {' or '.join(SUFFIXES)}")
        found.update(dict.fromkeys(inside))
    return tuple(found)


def _walk(top: str) -> list[str]:
    files: list[str] = []
    for directory, below, names in os.walk(top):
        below.sort()
        files += [
            os.path.join(directory, name)  # noqa: PTH118 - keeps the path as the user gave it
            for name in sorted(names)
            if name.endswith(SUFFIXES)
        ]
    return [path for path in files if Path(path).is_file()]


def read(path: str) -> tuple[bytes, Problem | None]:
    """Return a file's bytes, one more than the limit at most, or why they cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(MAX_BYTES + 1), None
    except OSError as error:
        why = error.strerror or str(error)
        return b"", Problem(path, 1, f"cannot read the file: {why}", code="unreadable")


def _parameters(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> Parameters:
    """Return the texts of `MODULE.NAME=VALUE` options, by module and name; the last one counts."""
    found: dict[str, dict[str, str]] = {}
    for text in given:
        left, equals, value = text.partition("=")
        # A module's name may hold dots, a parameter's may not.
        module, dot, name = left.rpartition(".")
        if not (equals and dot and module and name):
            raise click.BadParameter(f"{text!r} is not MODULE.NAME=VALUE", context, parameter)
        found.setdefault(module, {})[name] = value
    return found


PARAMETERS = click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="MODULE.NAME=VALUE",
    callback=_parameters,
    help="Give a parameter of a module a value (a list or map in YAML).",
)


def load(paths: tuple[str, ...], given: Parameters | None = None) -> Loaded:
    """Return what the files under some paths hold, with the values given for parameters.

    Raises:
        click.UsageError: a directory holds no module file, or a value is for no module of these.
    """
    files = find(paths)
    modules: list[Module] = []
    problems: list[Problem] = []
    for path in files:
        data, unread = read(path)
        if unread is not None:
            problems.append(unread)
            continue
        module, found = check_text(data, path, given)
        problems += found
        if module is not None:
            modules.append(module)
    loaded = Loaded(files, tuple(modules), tuple(problems))
    names = {module.name for module in modules}
    for name in given or {}:
        if loaded.ok and name not in names:
            near = nearest(name, sorted(names))
            hint = f" Did you mean {near!r}?" if near else ""
            raise click.UsageError(f"--param: no module is called {name!r}.{hint}")
    return loaded
