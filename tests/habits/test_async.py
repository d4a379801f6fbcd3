"""Waits end, queues are bounded, and a task has an owner that can be seen."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.habits.tree import PRODUCT, calls, dotted, python_files, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANNELS = {"open_memory_channel", "create_memory_object_stream"}


def shields_without_deadline(module: ast.AST) -> Iterator[int]:
    """Yields the lines of shields that carry no deadline."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and dotted(node.func).endswith("CancelScope"):
            words = {word.arg: word.value for word in node.keywords}
            value = words.get("shield")
            off = isinstance(value, ast.Constant) and value.value is False
            if value is not None and not off and not {"deadline", "relative_deadline"} & set(words):
                yield node.lineno
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Attribute) and target.attr == "shield" for target in node.targets
        ):
            lifted = isinstance(node.value, ast.Constant) and node.value.value is False
            if not lifted:
                yield node.lineno


def is_endless(node: ast.expr) -> bool:
    """Says whether an expression is infinity, however it is written."""
    if isinstance(node, ast.Call) and dotted(node.func) == "float":
        return any(isinstance(arg, ast.Constant) and "inf" in str(arg.value) for arg in node.args)
    return dotted(node).rpartition(".")[2] == "inf"


def unbounded_queues(module: ast.AST) -> Iterator[int]:
    """Yields the lines that make a queue without a bound."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        full = dotted(node.func)
        last = full.rpartition(".")[2]
        bounds = [*node.args, *(word.value for word in node.keywords)]
        endless = last in CHANNELS and any(is_endless(bound) for bound in bounds)
        boundless = full in {"queue.Queue", "queue.LifoQueue", "queue.PriorityQueue"} and not bounds
        if endless or boundless or last == "SimpleQueue":
            yield node.lineno


def stored_nurseries(module: ast.AST) -> Iterator[int]:
    """Yields the lines that keep a nursery on an object."""
    for node in ast.walk(module):
        if isinstance(node, ast.Assign):
            held = any(isinstance(target, ast.Attribute) for target in node.targets)
            names = [dotted(target) for target in node.targets] + [dotted(node.value)]
            if held and any("nursery" in name.rpartition(".")[2].lower() for name in names):
                yield node.lineno
        if isinstance(node, ast.AnnAssign) and "Nursery" in ast.unparse(node.annotation):
            yield node.lineno


def found(check: object) -> list[str]:
    """Returns `file:line` of everything that a check finds in the product."""
    assert callable(check)
    return [f"{name}:{line}" for name in python_files(*PRODUCT) for line in check(tree(name))]


def test_a_shield_always_has_a_deadline() -> None:
    """What cannot be cancelled must end by itself."""
    assert found(shields_without_deadline) == []


def test_every_queue_is_bounded() -> None:
    """Full means refuse, visibly; so there is a full."""
    assert found(unbounded_queues) == []


def test_no_nursery_is_stored_on_an_object() -> None:
    """A nursery is local, or a parameter: the owner of a task is seen where the task starts."""
    assert found(stored_nurseries) == []


def test_main_alone_starts_the_event_loop() -> None:
    """A process has one root, and it is found under one name: `main.py`."""
    starts = [
        f"{name}:{call.lineno}"
        for name in python_files("agent", "coordinator", "protocol", "state_engine")
        for call in calls(name)
        if dotted(call.func) in {"trio.run", "anyio.run", "asyncio.run"}
        and not name.endswith(("/main.py", "/asyncio_bridge.py"))
    ]
    assert starts == []


@pytest.mark.parametrize(
    ("check", "source", "count"),
    [
        (shields_without_deadline, "trio.CancelScope(shield=True)", 1),
        (shields_without_deadline, "scope.shield = True", 1),
        (shields_without_deadline, "trio.CancelScope(deadline=when, shield=True)", 0),
        (shields_without_deadline, "trio.CancelScope(shield=False)", 0),
        (shields_without_deadline, "scope.shield = False", 0),
        (unbounded_queues, "trio.open_memory_channel[int](math.inf)", 1),
        (unbounded_queues, "open_memory_channel(float('inf'))", 1),
        (unbounded_queues, "anyio.create_memory_object_stream(max_buffer_size=inf)", 1),
        (unbounded_queues, "queue.Queue()", 1),
        (unbounded_queues, "trio.open_memory_channel[int](64); queue.Queue(64)", 0),
        (stored_nurseries, "self._nursery = value", 1),
        (stored_nurseries, "self.tasks = nursery", 1),
        (stored_nurseries, "class A:\n    tasks: trio.Nursery", 1),
        (stored_nurseries, "nursery = value", 0),
    ],
)
def test_the_checks_find_what_they_are_for(check: object, source: str, count: int) -> None:
    """A planted fault is found, and its lawful neighbour is not."""
    assert callable(check)
    assert len(list(check(ast.parse(source)))) == count
