"""Modules that need each other: present, in order, and not in a circle."""

from __future__ import annotations

from state_engine.language import requires
from state_engine.language.load import load_module
from state_engine.language.resolve import resolve
from state_engine.model import Module, NodeFacts

NODE = NodeFacts("id-1", "web-1", {"platform": "linux"})


def module(name: str, *needs: str) -> Module:
    """Return a module with one file, that requires others."""
    text = (
        f"name: {name}\nsupports: [{{platform: linux}}]\nrequires: [{', '.join(needs)}]\n"
        f"resources: [{{resource: {{file-unix: {{path: /{name}}}}}}}]\n"
    )
    made, problems = load_module(text.encode(), f"{name}.yaml")
    assert made is not None, problems
    return made


def names(*modules: Module) -> list[str]:
    """Return the modules' names in order."""
    return [found.name for found in requires.in_order(modules)]


def test_a_module_comes_after_those_that_it_requires_and_else_by_name() -> None:
    a, b, c = module("a", "c"), module("b"), module("c")
    assert names(a, b, c) == names(c, b, a) == ["b", "c", "a"]
    found = resolve([a, b, c], NODE, trusted=frozenset())
    assert found.problems == ()
    assert [resource.module for resource in found.resources] == ["b", "c", "a"]


def test_a_module_that_is_not_in_the_set_is_a_problem_with_the_nearest_name() -> None:
    found = resolve([module("a", "bsae"), module("base")], NODE, trusted=frozenset())
    assert not found.ok
    (problem,) = found.problems
    assert (problem.file, problem.line, problem.code) == ("a.yaml", 3, "requires")
    assert problem.hint == "did you mean `base`?"
    (alone,) = requires.check([module("a", "base")])
    assert "`base`, which is not in this set" in alone.message


def test_a_cycle_names_its_members() -> None:
    found = resolve(
        [module("a", "b"), module("b", "c"), module("c", "a")], NODE, trusted=frozenset()
    )
    assert not found.ok
    (problem,) = found.problems
    assert "`a` → `b` → `c` → `a`" in problem.message
    assert (problem.file, problem.line, problem.code) == ("a.yaml", 3, "cycle")


def test_the_order_is_there_even_where_something_is_missing() -> None:
    assert names(module("a", "c", "nope"), module("c")) == ["c", "a"]
