"""What the language promises for every input: no crash, a stable order, valid modules resolve."""

from __future__ import annotations

import json
from collections.abc import Mapping

import jsonschema
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.language.order import sort
from state_engine.language.resolve import resolve
from state_engine.language.schema import module_schema
from state_engine.language.validate import check_text
from state_engine.model import NodeFacts

# Pieces that lie near real modules, so that random joins reach deep into the rules.
PIECES = st.sampled_from([
    "name", "supports", "templates", "resources", "resource", "variants", "when", "id", "content",
    "depends_on", "file-unix", "script", "path", "platform", "linux", "tag.a", "/a", "${{", "}}",
    "tags.x", "parameters", "for_each", "else", "skip", "priority", "default", "type", "string",
    "requires", "params.a", "each.key", "${{ params.a }}",
    "&a", "*a", "!t", "- ", ": ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", "|\n",
    "'", '"', "~", "0644", "1", "1.5", "true", "---", "#", "%", "<<", "\t", "\\u0000", "\ud800",
])  # fmt: skip
NEAR = st.lists(PIECES, max_size=40).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | PIECES | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PIECES, inner, max_size=4),
    max_leaves=20,
)
KEYS = ["name", "supports", "templates", "resources", "id", "resource", "variants", "when"]


@given(st.binary(max_size=200) | NEAR.map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=500)
def test_any_bytes_are_a_module_or_a_problem_with_a_place(data: bytes) -> None:
    """Reading never raises; without a module there is an error, and each has a place."""
    module, problems = check_text(data)
    assert (module is None) == any(problem.severity == "error" for problem in problems)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)


@given(st.dictionaries(st.sampled_from([*KEYS[:4], "parameters", "requires"]), VALUES, min_size=1))
@settings(max_examples=500)
def test_any_values_in_the_right_places_are_a_module_or_a_problem(value: object) -> None:
    """The rules never raise on values of the wrong kind."""
    data = json.dumps(value).encode("utf-8", "surrogatepass")
    module, problems = check_text(data)
    assert (module is None) == any(problem.severity == "error" for problem in problems)


@st.composite
def specs(draw: st.DrawFn, number: int, earlier: list[str]) -> dict[str, Json]:
    """Return a kind with valid fields whose identity holds the number of its resource."""
    mode = draw(st.none() | st.sampled_from(["0644", "755", "${{ attributes.mode }}"]))
    text = draw(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$")))
    text += "\n"  # so that it is never written like a number, for which YAML 1.1 has other rules
    kinds: list[dict[str, Json]] = [
        {"file-unix": {"path": f"/f{number}", "mode": mode, "content": text}},
        {"file-unix": {"path": f"/${{{{ tags.t }}}}{number}", "template": "t"}},
        {"directory-unix": {"path": f"/d{number}", "mode": mode}},
        {
            "script": {
                "program": draw(st.sampled_from(["sh", "bash"])),
                "apply": "true ${{ node.name }}",
                "manages": f"s{number}",
                "rerun_on": [*draw(st.lists(st.sampled_from(earlier), max_size=3))]
                if earlier
                else None,
            }
        },
    ]
    return draw(st.sampled_from(kinds))


@st.composite
def valid_modules(draw: st.DrawFn) -> dict[str, Json]:
    """Return a valid module; edges run along a random order, so there is no cycle."""
    count = draw(st.integers(0, 6))
    resources: list[Json] = []
    earlier: list[str] = []
    for number in range(count):
        name = f"r{number}"
        resource: dict[str, Json] = {"id": name}
        if earlier:
            resource["depends_on"] = [*draw(st.lists(st.sampled_from(earlier), max_size=2))]
        spec = draw(specs(number, earlier))
        if draw(st.booleans()):
            resource["resource"] = spec
        else:
            whens: list[dict[str, Json]] = [
                {},
                {"distro": "debian"},
                {"tag.t": "x", "arch": "armv7"},
            ]
            resource["variants"] = [
                {"when": when, "resource": spec}
                for when in draw(st.permutations(whens))
                if not when or draw(st.booleans())
            ]
        resources.append(resource)
        earlier.append(name)
    return {
        "name": "m",
        "supports": [{"platform": "linux"}],
        "templates": [{"id": "t", "content": "hello ${{ attributes.distro }}"}],
        "resources": draw(st.permutations(resources)),
    }


FACTS = NodeFacts("id", "n", {"platform": "linux", "distro": "debian", "mode": "0600"}, {"t": "x"})
VALIDATOR = jsonschema.Draft202012Validator(module_schema())


@given(valid_modules())
@settings(max_examples=150)
def test_valid_modules_resolve_in_an_order_that_keeps_every_edge(value: dict[str, Json]) -> None:
    """A module without errors resolves, satisfies the schema, and dependencies come first."""
    data = yaml.safe_dump(value, allow_unicode=True).encode()
    module, problems = check_text(data)
    assert module is not None, problems
    assert list(VALIDATOR.iter_errors(value)) == []
    resolved = resolve([module], FACTS, trusted=frozenset())
    assert resolved.problems == ()
    done = set()
    for resource in resolved.resources:
        assert set(resource.depends_on) <= done
        done.add(resource.key)
    assert len(done) == len(module.resources)
    assert "${{" not in str([resource.spec for resource in resolved.resources])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    """Return any graph, cycles included."""
    count = draw(st.integers(0, 8))
    targets = st.sets(st.integers(0, max(count - 1, 0)), max_size=count)
    return tuple(tuple(sorted(draw(targets))) for _ in range(count))


@st.composite
def acyclic(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    """Return a graph without a cycle: edges run backwards along a random order."""
    order = draw(st.permutations(range(draw(st.integers(1, 8)))))
    graph: list[tuple[int, ...]] = [()] * len(order)
    for place, index in enumerate(order[1:], 1):
        targets = draw(st.sets(st.sampled_from(order[:place]), max_size=2))
        graph[index] = tuple(sorted(targets))
    return tuple(graph)


@given(graphs() | acyclic())
def test_the_order_is_a_permutation_that_keeps_the_edges_and_is_the_first_such(
    graph: tuple[tuple[int, ...], ...],
) -> None:
    """Without a cycle each edge holds and ties go by declaration; a named cycle is real."""
    order = sort(graph)
    assert sorted(order.indexes) == list(range(len(graph)))
    for cycle in order.cycles:
        for index, target in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert target in graph[index]
    if order.cycles:
        assert _is_cyclic(graph)
        return
    done: set[int] = set()
    for index in order.indexes:
        ready = [i for i, wait in enumerate(graph) if i not in done and done.issuperset(wait)]
        assert index == min(ready)
        done.add(index)


def _is_cyclic(graph: tuple[tuple[int, ...], ...]) -> bool:
    left: Mapping[int, set[int]] = {index: set(targets) for index, targets in enumerate(graph)}
    while free := [index for index, targets in left.items() if not targets & left.keys()]:
        left = {index: targets for index, targets in left.items() if index not in free}
    return bool(left)


# Pieces of values that could make an expression or an escape together with what stands around them.
TRAPS = st.lists(
    st.sampled_from(["$", "{", "}", "{{", "}}", "${{", "$${{", "tags.t", " ", "a", "\\n"]),
    max_size=6,
).map("".join)
WRITTEN = st.sampled_from(["p", "q", "tag", "escape", "text "])


@given(TRAPS, TRAPS, st.lists(WRITTEN, min_size=1, max_size=8))
@settings(max_examples=300)
def test_a_text_is_its_pieces_with_each_value_put_in_once(
    first: str, second: str, pieces: list[str]
) -> None:
    """Whatever values hold, beside what they stand, and whether the node is asked as well."""
    forms = {
        "p": ("${{ params.p }}", first),
        "q": ("${{ params.q }}", second),
        "tag": ("${{ tags.t }}", "x"),
        "escape": ("$${{", "${{"),
        "text ": ("text ", "text "),
    }
    value: dict[str, Json] = {
        "name": "m",
        "supports": [{"platform": "linux"}],
        "parameters": {name: {"type": "string"} for name in ("p", "q")},
        "resources": [
            {"resource": {"file-unix": {"path": "/a", "content": _text(forms, pieces, 0)}}}
        ],
    }
    given = {"m": {"p": first, "q": second}}
    module, problems = check_text(json.dumps(value).encode(), "f", given)
    assert module is not None, problems
    (resource,) = resolve([module], FACTS, trusted=frozenset()).resources
    assert resource.spec["content"] == _text(forms, pieces, 1)


def _text(forms: dict[str, tuple[str, str]], pieces: list[str], which: int) -> str:
    return "".join(forms[piece][which] for piece in pieces)


KEYS_OF_ITEMS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/$"),
    min_size=1,
    max_size=5,
).filter(lambda key: key not in {".", ".."})


@given(st.dictionaries(KEYS_OF_ITEMS, st.integers(-9, 9), max_size=6), st.booleans())
@settings(max_examples=150)
def test_items_are_resources_that_all_come_before_what_names_them(
    items: dict[str, int], from_parameter: bool
) -> None:
    """Each item is one resource with its own id and value; the schema agrees."""
    where = "${{ params.p }}" if from_parameter else items
    value: dict[str, Json] = {
        "name": "m",
        "supports": [{"platform": "linux"}],
        "parameters": {"p": {"type": "map", "default": {**items}}} if from_parameter else {},
        "resources": [
            {"id": "last", "depends_on": ["f"], "resource": {"directory-unix": {"path": "/d"}}},
            {
                "id": "f",
                "for_each": where if isinstance(where, str) else {**where},
                "resource": {
                    "file-unix": {"path": "/f/${{ each.key }}", "content": "${{ each.value }}"}
                },
            },
        ],
    }
    assert list(VALIDATOR.iter_errors(value)) == []
    module, problems = check_text(json.dumps(value).encode())
    assert module is not None, problems
    resolved = resolve([module], FACTS, trusted=frozenset())
    assert resolved.problems == ()
    *files, last = resolved.resources
    assert [found.id for found in files] == [f"f[{key}]" for key in items]
    assert [found.spec["content"] for found in files] == [str(number) for number in items.values()]
    assert last.depends_on == tuple(found.key for found in files)


RANKED = st.lists(
    st.tuples(
        st.dictionaries(
            st.sampled_from(["distro", "arch", "tag.t"]),
            st.sampled_from(["a", "armv7"]),
            max_size=2,
        ),
        st.integers(-1, 1),
    ),
    min_size=1,
    max_size=4,
)


@given(RANKED, st.booleans(), st.sampled_from(["a", "b"]), st.sampled_from(["armv7", "x86_64"]))
@settings(max_examples=300)
def test_a_module_without_errors_never_finds_two_variants_or_none_on_a_node(
    ranked: list[tuple[dict[str, str], int]], or_skip: bool, name: str, arch: str
) -> None:
    """What the static analysis accepts has one answer on every node that is supported."""
    variants: list[Json] = [
        {"when": {**when}, "priority": rank, "resource": {"file-unix": {"path": "/a"}}}
        for when, rank in ranked
    ]
    resource: dict[str, Json] = {"variants": variants, "else": "skip" if or_skip else None}
    value: dict[str, Json] = {
        "name": "m",
        "supports": [{"platform": "linux"}],
        "resources": [resource],
    }
    module, _ = check_text(json.dumps(value).encode())
    if module is None:
        return
    facts = NodeFacts("i", "n", {"platform": "linux", "distro": name, "arch": arch}, {"t": name})
    resolved = resolve([module], facts, trusted=frozenset())
    assert resolved.problems == ()
    assert len(resolved.resources) == 1 or or_skip


RESOURCE_KEYS = ["id", "for_each", "else", "on_remove", "depends_on", "variants", "resource"]
RESOURCE_KEYS += ["timeout", "on_drift"]


@given(st.dictionaries(st.sampled_from(RESOURCE_KEYS), VALUES, min_size=1), VALUES)
@settings(max_examples=300)
def test_any_values_in_a_resource_and_a_default_are_a_module_or_a_problem(
    resource: dict[str, object], default: object
) -> None:
    """The rules of our own keys never raise either; what is accepted resolves or is refused."""
    value = {
        "name": "m",
        "supports": [{"platform": "linux"}],
        "parameters": {"a": {"type": "map", "default": default}},
        "resources": [{"resource": {"file-unix": {"path": "/a"}}} | resource],
    }
    data = json.dumps(value).encode("utf-8", "surrogatepass")
    module, problems = check_text(data)
    assert (module is None) == any(problem.severity == "error" for problem in problems)
    if module is not None:
        resolve([module], FACTS, trusted=frozenset())
