"""The order of resources."""

from __future__ import annotations

from state_engine.language.order import apply_order, dependency_graph, references, sort
from state_engine.model import Clause, Module, Resource, Variant


def file(name: str, *after: str) -> Resource:
    """Return a file resource with an id that depends on others."""
    return Resource(name, None, after, "file-unix", {"path": f"/{name}"})


def test_declaration_order_holds_where_no_edge_says_otherwise() -> None:
    module = Module("m", "0", (), (), (file("a", "d"), file("b"), file("c"), file("d"), file("e")))
    assert [item.id for item in apply_order(module)] == ["b", "c", "d", "a", "e"]


def test_what_becomes_ready_together_goes_by_declaration() -> None:
    assert sort(((4,), (3,), (4,), (4,), ())).indexes == (4, 0, 2, 3, 1)


def test_triggers_of_every_variant_are_edges() -> None:
    script = {"program": "sh", "apply": "x"}
    later = Resource(
        variants=(
            Variant(Clause(()), "script", script | {"rerun_on": ["a"]}),
            Variant(Clause((("distro", "debian"),)), "script", script | {"rerun_on": ["b"]}),
        )
    )
    module = Module("m", "0", (), (), (later, file("a"), file("b")))
    assert dependency_graph(module) == ((1, 2), (), ())
    assert [(found.target, found.trigger) for found in references(module)] == [
        ("a", "rerun"),
        ("b", "rerun"),
    ]


def test_each_cycle_is_named_from_its_first_resource_and_cut() -> None:
    # 0 waits for the cycle 1 -> 3 -> 2 -> 1; 4 waits for itself; 5 is free.
    order = sort(((1,), (3,), (1,), (2,), (4,), ()))
    assert order.cycles == ((1, 3, 2), (4,))
    assert sorted(order.indexes) == list(range(6))


def test_a_long_chain_does_not_exhaust_the_stack() -> None:
    size = 20_000
    chain = tuple((index + 1,) if index + 1 < size else () for index in range(size))
    assert sort(chain).indexes == tuple(reversed(range(size)))


def test_unknown_ids_and_malformed_triggers_are_left_to_validation() -> None:
    odd = Resource("s", None, ("nope",), "script", {"rerun_on": "s"})
    assert dependency_graph(Module("m", "0", (), (), (odd,))) == ((),)
