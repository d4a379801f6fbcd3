"""What a user can name: endpoints, commands, configuration keys and resource kinds."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import types
import typing
from typing import TYPE_CHECKING

import click
import msgspec
import pytest

from tests.habits.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}

# Program -> the module that its console script starts.
PROGRAMS = {
    "standfast": "client.cli.main",
    "standfast-agent": "agent.main",
    "standfast-coordinator": "coordinator.main",
    "standfast-state": "state_engine.cli.main",
}


def load(module: str) -> types.ModuleType:
    """Imports a module, or fails the test with what was looked for."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name
    return pytest.fail(f"this habit looks at {module}, and {missing} is not there", pytrace=False)


def attribute(module: str, name: str) -> object:
    """Returns a module's attribute, or fails the test with what was looked for."""
    found = load(module)
    if not hasattr(found, name):
        pytest.fail(f"this habit looks at {module}.{name}, and it is not there", pytrace=False)
    return getattr(found, name)


def openapi_document() -> dict[str, object]:
    """Returns what `./dev openapi` prints."""
    command = [sys.executable, "-m", "coordinator.openapi"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(
            f"`python -m coordinator.openapi` failed:\n{done.stderr[-2000:]}", pytrace=False
        )
    document: dict[str, object] = json.loads(done.stdout)
    return document


def endpoints(document: Mapping[str, object]) -> set[str]:
    """Returns `METHOD /path` for every operation of the document."""
    paths = document["paths"]
    assert isinstance(paths, dict)
    return {
        f"{method.upper()} {path}"
        for path, item in paths.items()
        for method in item.keys() & METHODS
    }


def root_command(module: types.ModuleType) -> click.Command | None:
    """Returns a program's click command, under whatever name its module keeps it."""
    found = [value for value in vars(module).values() if isinstance(value, click.Command)]
    groups = [value for value in found if isinstance(value, click.Group)]
    named = [getattr(module, name, None) for name in ("cli", "main", "app", "group", "command")]
    for value in [*named, *groups, *found]:
        if isinstance(value, click.Command):
            return value
    return None


def leaf_commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yields every command that does something, with the words that a user types for it."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command, info_name=name)
    for word in command.list_commands(context):
        below = command.get_command(context, word)
        assert below is not None, f"{name} {word} is listed and cannot be loaded"
        if not below.hidden:
            yield from leaf_commands(below, f"{name} {word}")


def structs_within(annotation: object) -> Iterator[type[msgspec.Struct]]:
    """Yields the struct types inside an annotation, through unions and containers."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from structs_within(inner)


def config_keys(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Yields every key of a configuration, `table.key` for those inside a table."""
    hints = typing.get_type_hints(struct, include_extras=False)
    for field in msgspec.structs.fields(struct):
        name = f"{prefix}{field.encode_name}"
        tables = list(structs_within(hints[field.name]))
        if not tables:
            yield name
        for table in tables:
            yield from config_keys(table, f"{name}.")


def resource_kinds() -> set[str]:
    """Returns the names in the registry of kinds."""
    module = load("state_engine.resources.registry")
    for value in vars(module).values():
        if isinstance(value, dict | types.MappingProxyType) and value:
            names = {key for key, kind in value.items() if getattr(kind, "name", None) == key}
            if names == set(value):
                return names
    pytest.fail("state_engine.resources.registry holds no dict of name -> kind")
