"""Whatever a user can name has a heading in docs/reference."""

from __future__ import annotations

import re

import click
import msgspec
import pytest

from devtools.links import headings
from tests.habits.surface import (
    PROGRAMS,
    attribute,
    config_keys,
    endpoints,
    leaf_commands,
    load,
    openapi_document,
    resource_kinds,
    root_command,
)
from tests.habits.tree import ROOT

# What may follow the name in its heading: arguments (`NODE`, `[--json]`) or an explanation.
REST = re.compile(r"(?:\s*$|\s+[A-Z\[(<.\u2013\u2014-]|:)")


def reference_headings() -> list[str]:
    """Returns every heading of the reference pages."""
    pages = sorted((ROOT / "docs/reference").rglob("*.md"))
    assert pages, "docs/reference has no pages"
    return [line for page in pages for line in headings(page.read_text(encoding="utf-8"))]


def undocumented(names: set[str]) -> list[str]:
    """Returns the names that lead no heading, sorted."""
    known = reference_headings()
    return sorted(
        name
        for name in names
        if not any(line.startswith(name) and REST.match(line[len(name) :]) for line in known)
    )


def test_every_endpoint_has_a_heading() -> None:
    """The heading is the method and the path: `GET /api/v1/agents`."""
    assert undocumented(endpoints(openapi_document())) == []


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_every_command_has_a_heading(program: str) -> None:
    """The heading is what a user types: `standfast agents list`."""
    root = root_command(load(PROGRAMS[program]))
    if root is None:
        # The two daemons may read their few words without click; they are named all the same.
        assert program in {"standfast-agent", "standfast-coordinator"}
        assert any(line.startswith(program) for line in reference_headings())
        return
    assert undocumented({name for name, _ in leaf_commands(root, program)}) == []


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_every_command_says_what_it_does(program: str) -> None:
    """`--help` of a command is more than its options."""
    root = root_command(load(PROGRAMS[program]))
    silent = [
        name
        for name, command in (leaf_commands(root, program) if root else ())
        if not (command.help or command.short_help)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("module", "name"),
    [("agent.config", "AgentConfig"), ("coordinator.config", "CoordinatorConfig")],
)
def test_every_config_key_has_a_heading(module: str, name: str) -> None:
    """The heading is the key, led by its table: `link.urls`."""
    struct = attribute(module, name)
    assert isinstance(struct, type)
    assert issubclass(struct, msgspec.Struct)
    assert undocumented(set(config_keys(struct))) == []


def test_every_resource_kind_has_a_heading() -> None:
    """The heading is the name that a module writes: `file-unix`."""
    assert undocumented(resource_kinds()) == []


def test_every_resource_kind_has_its_file() -> None:
    """A kind is found under its own name: `file-unix` is resources/file_unix.py."""
    folder = ROOT / "state_engine/resources"
    names = {kind: f"{kind.replace('-', '_')}.py" for kind in resource_kinds()}
    assert {kind for kind, file in names.items() if not (folder / file).exists()} == set()


def test_a_heading_must_name_the_whole_thing() -> None:
    """`standfast state` is not documented by the heading of `standfast state plan`."""
    assert REST.match("") is not None
    assert REST.match(" NODE [--json]") is not None
    assert REST.match(": what it is") is not None
    assert REST.match(" plan") is None
    assert REST.match("s list") is None


def test_commands_are_walked_to_the_leaves() -> None:
    """Groups inside groups are followed, and hidden commands are left out."""
    leaf = click.Command("leaf")
    inner = click.Group("inner", commands={"leaf": leaf})
    hidden = click.Command("hidden", hidden=True)
    root = click.Group("root", commands={"inner": inner, "hidden": hidden})
    assert [name for name, _ in leaf_commands(root, "prog")] == ["prog inner leaf"]


def test_config_keys_follow_tables() -> None:
    """A key inside a table is named with it."""
    table = msgspec.defstruct("Table", [("key", int, 1)])
    whole = msgspec.defstruct(
        "Whole", [("table", table | None, None), ("urls", tuple[str, ...], ())]
    )
    assert set(config_keys(whole)) == {"table.key", "urls"}


def test_the_reference_is_what_the_code_says() -> None:
    """A generated page that was edited, or not written again, fails: run `./dev docs --write`."""
    from devtools import reference

    for program in PROGRAMS.values():
        load(program)
    pages = reference.pages()
    stale = [
        name
        for name, text in pages.items()
        if not (reference.PAGES / name).exists()
        or (reference.PAGES / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run ./dev docs --write"
