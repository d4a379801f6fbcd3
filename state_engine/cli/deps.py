"""`standfast-state deps PATHS...`: the order in which resources are applied, and why."""

from __future__ import annotations

import json

import click
import msgspec

from protocol.canonical import Json
from state_engine.cli import output, sources
from state_engine.language import order, requires
from state_engine.language.variants import alternatives
from state_engine.model import Module
from state_engine.resources.registry import KINDS


class Line(msgspec.Struct, frozen=True):
    """One resource in apply order; `needs` are positions (from 1) of those before it."""

    position: int
    id: str | None
    name: str | None
    kinds: tuple[str, ...]
    identities: tuple[str, ...]
    needs: tuple[int, ...]
    line: int

    @property
    def label(self) -> str:
        """What a person calls the resource."""
        what = " | ".join(dict.fromkeys(self.kinds))
        names = ", ".join(dict.fromkeys(self.identities)) or self.name or ""
        return f"{what} {names}".strip() + (f" [{self.id}]" if self.id else "")


@click.command("deps")
@sources.PATHS
@sources.PARAMETERS
@sources.AS_JSON
@click.option("--dot", is_flag=True, help="Print a graph for Graphviz.")
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    parameters: sources.Parameters,
    as_json: bool,
    dot: bool,
) -> None:
    """Show the resolved apply order. Exit code 1 if a file has an error."""
    if as_json and dot:
        raise click.UsageError("--json and --dot exclude each other")
    loaded = sources.load(paths, parameters)
    if not loaded.ok:
        if as_json:
            problems = output.problems_json(loaded.problems)
            output.echo_json({"ok": False, "problems": problems, "modules": []})
        else:
            output.echo_problems(loaded.problems, err=True)
        context.exit(1)
    modules = requires.in_order(loaded.modules)
    if as_json:
        shown: list[Json] = [_as_json(module) for module in modules]
        problems = output.problems_json(loaded.problems)
        output.echo_json({"ok": True, "problems": problems, "modules": shown})
    elif dot:
        click.echo(_as_dot(modules))
    else:
        for module in modules:
            _echo(module)


def lines(module: Module) -> list[Line]:
    """Return the resources of a valid module in apply order."""
    graph = order.dependency_graph(module)
    indexes = order.sort(graph).indexes
    positions = {index: position for position, index in enumerate(indexes, 1)}
    return [_line(module, index, graph, positions) for index in indexes]


def _line(module: Module, index: int, graph: order.Graph, positions: dict[int, int]) -> Line:
    resource = module.resources[index]
    choices = alternatives(resource, index)
    found = [KINDS[choice.kind].identity(choice.spec, resource.id) for choice in choices]
    return Line(
        position=positions[index],
        id=resource.id,
        name=resource.name,
        kinds=tuple(choice.kind for choice in choices),
        identities=tuple(identity for identity in found if identity is not None),
        needs=tuple(sorted(positions[target] for target in graph[index])),
        line=resource.line,
    )


def _echo(module: Module) -> None:
    click.echo(output.clean(f"{module.name} ({module.file})"))
    for line in lines(module):
        after = ", ".join(str(position) for position in line.needs)
        label = output.clean(line.label)
        click.echo(f"  {line.position}. {label}" + (f"  after {after}" if after else ""))


def _as_json(module: Module) -> Json:
    resources: list[Json] = [
        {
            "position": line.position,
            "id": line.id,
            "name": line.name,
            "kinds": list(line.kinds),
            "identities": list(line.identities),
            "needs": list(line.needs),
            "line": line.line,
        }
        for line in lines(module)
    ]
    return {"module": module.name, "file": module.file, "order": resources}


def _as_dot(modules: list[Module]) -> str:
    text = ["digraph standfast {", "  rankdir=LR;", "  node [shape=box];"]
    for number, module in enumerate(modules):
        text += [f"  subgraph cluster_{number} {{", f"    label={_quoted(module.name)};"]
        for line in lines(module):
            text.append(f"    r{number}_{line.position} [label={_quoted(line.label)}];")
            # An arrow runs from what is done first to what waits for it.
            text += [f"    r{number}_{need} -> r{number}_{line.position};" for need in line.needs]
        text.append("  }")
    return "\n".join([*text, "}"])


def _quoted(text: str) -> str:
    # A DOT string escapes only quotes and backslashes; JSON's form of printable text is that.
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return json.dumps(plain, ensure_ascii=False)
