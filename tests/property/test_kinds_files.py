"""What holds for every part of a file that is managed, and for links, from any state before."""

from __future__ import annotations

import re
from operator import itemgetter

from hypothesis import assume, example, given
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.parts import text_lines
from state_engine.resources.parts.line_pattern import compiled
from state_engine.resources.registry import KINDS
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

PATH = "/e/f"
# Lines that mean something to one of the kinds, and each other's near misses.
WORDS = st.sampled_from([
    "Port 22", "#Port 22", "Port 2222", " Port 22", "", "  ", "[a]", "[b]", " [a] ; x", "[a] x",
    "k = 1", "k=2", "  k: 3", "#k=4", "k", "kk = 5", "\tk = 6", "    more", "k = 7 \\", "[",
    "# BEGIN m", "# END m", "  # BEGIN m", "one", "127.0.0.1 localhost", "10.0.0.1\tdb  web # x",
    "10.0.0.2 DB", "::1 db localhost", "10.0.0.1", "# 10.0.0.2 db", "10.0.0.3 db web web",
    "ü \udcff",
])  # fmt: skip
ENDINGS = st.sampled_from(["\n", "\r\n"])
FILES = st.one_of(
    st.none(),
    st.builds(
        lambda words, ending, last: (
            ending.join(words).encode("utf-8", "surrogateescape")
            + (ending.encode() if last else b"")
        ),
        st.lists(WORDS, max_size=8),
        ENDINGS,
        st.booleans(),
    ),
    st.binary(max_size=30),
)
ENSURE = st.sampled_from(["present", "absent"])


def specs(**fields: st.SearchStrategy[Json]) -> st.SearchStrategy[dict[str, Json]]:
    return st.fixed_dictionaries({"path": st.just(PATH), **fields}).map(
        lambda spec: {field: value for field, value in spec.items() if value is not None}
    )


CREATE = st.sampled_from([True, False])
LINES = specs(
    line=st.sampled_from(["Port 22", "one", "  ", "k = 1"]),
    match=st.sampled_from([None, "^#?Port\\b", "^Port", "^#Port", "o", "."]),
    after=st.sampled_from([None, "^\\[a\\]", "Port"]),
    create=CREATE,
    ensure=ENSURE,
)
BLOCKS = specs(
    marker=st.just("m"),
    block=st.sampled_from(["", "x", "x\ny\n", "x\n\n", "\n"]),
    position=st.sampled_from(["start", "end"]),
    create=CREATE,
    ensure=ENSURE,
)
SETTINGS = specs(
    key=st.sampled_from(["k", "new key", "k{}"]),
    value=st.sampled_from(["1", "", "=", "# no comment", "a {b} c"]),
    section=st.sampled_from([None, "a", "b", "c"]),
    create=CREATE,
    ensure=ENSURE,
)
HOSTS = specs(
    ip=st.sampled_from(["10.0.0.1", "127.0.0.1", "::1", "0:0::1"]),
    names=st.sampled_from([["db"], ["web", "db"], ["Localhost"], ["new.example", "new"]]),
    ensure=ENSURE,
)
PARTS = st.one_of(
    st.tuples(st.just("line-in-file"), LINES),
    st.tuples(st.just("block-in-file"), BLOCKS),
    st.tuples(st.just("ini-setting"), SETTINGS),
    st.tuples(st.just("hosts-entry"), HOSTS),
)


def made(kind: str, spec: dict[str, Json]) -> ResolvedResource:
    assert KINDS[kind].validate(spec) == []
    identity = KINDS[kind].identity(spec, None)
    assert identity is not None
    return resource(kind, identity, spec)


def host(content: bytes | None) -> FakePorts:
    ports = FakePorts()
    ports.files.put("/e", Node("directory", 0o755, 0, 0))
    if content is not None:
        ports.files.put(PATH, Node("file", 0o640, 1000, 0, content))
    return ports


def refused(item: ResolvedResource, ports: FakePorts) -> bool:
    [plan] = make_plan("n", [item], Snapshot(), ports).resources
    return plan.action == "error"


def content(ports: FakePorts) -> bytes | None:
    node = ports.files.nodes.get(PATH)
    return None if node is None else node.content


@given(PARTS, FILES)
def test_a_plan_after_an_apply_is_empty(
    part: tuple[str, dict[str, Json]], before: bytes | None
) -> None:
    """Or the first plan refuses, and then nothing is touched; mode and owner always stay."""
    ports, item = host(before), made(*part)
    plan = make_plan("n", [item], Snapshot(), ports)
    approved = frozenset(each.digest for each in plan.resources if each.digest)
    outcome = apply_plan("op", "n", [item], Snapshot(), ports, approved=approved)
    if plan.resources[0].action == "error":
        assert (outcome.result.status, content(ports)) == ("failed", before)
        return
    assert outcome.result.status == "succeeded", outcome.result
    assert make_plan("n", [item], outcome.snapshot, ports).summary.none == 1
    assert find_drift(outcome.snapshot, ports) == ()
    changes = plan.resources[0].changes
    assert (content(ports) != before) == bool(changes)
    if before is not None:
        node = ports.files.nodes[PATH]
        assert (node.mode, node.uid, node.gid) == (0o640, 1000, 0)


@given(PARTS, FILES)
def test_other_lines_stay_in_their_order(
    part: tuple[str, dict[str, Json]], before: bytes | None
) -> None:
    """What is left of the old lines after the apply is a subsequence of them, endings included."""
    ports, item = host(before), made(*part)
    assume(item.spec.get("match") not in {".", "o"} and not refused(item, ports))
    apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    old = text_lines.split(before or b"")
    new = text_lines.split(content(ports) or b"")
    about = re.compile(r"Port|one|k|db|web|local|new|BEGIN|END|^\s*x?$|y|\[[abc]\]$", re.IGNORECASE)
    kept = [line.text for line in new if not about.search(line.text)]
    assert kept == [line.text for line in old if not about.search(line.text)]


@given(PARTS, FILES)
def test_removal_takes_out_what_was_added(
    part: tuple[str, dict[str, Json]], before: bytes | None
) -> None:
    """What was created goes again; but for a last line's ending the file is as it was before."""
    ports, item = host(before), made(*part)
    assume(not refused(item, ports))
    first = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    after = content(ports)
    [held] = first.snapshot.applied
    second = apply_plan("op", "n", [], first.snapshot, ports, approved=None)
    assert (second.result.status, second.snapshot.applied) == ("succeeded", ())
    if not held.created:
        assert content(ports) == after
        return
    if before is None:
        assert content(ports) is None
        return
    left, was = content(ports), before
    assert left is not None
    ended = (
        was
        if not was or was.endswith(b"\n")
        else was + text_lines.ending(text_lines.split(was)).encode()
    )
    if item.kind == "ini-setting":  # the header of a section that was added stays
        assert left.startswith(was)
        return
    assert left in {was, ended}


@given(st.lists(PARTS, min_size=2, max_size=4, unique_by=itemgetter(0)))
def test_parts_of_one_file_do_not_make_each_other_stale(
    parts: list[tuple[str, dict[str, Json]]],
) -> None:
    """Each part is bound by what it depends on, so one approval covers several in one file."""
    ports = host(b"# a file\n")
    items = [made(kind, {**spec, "ensure": "present"}) for kind, spec in parts]
    for item in items:
        for field in ("after", "match", "section"):
            item.spec.pop(field, None)
        item.spec.update({"line": "one"} if item.kind == "line-in-file" else {})
    plan = make_plan("n", items, Snapshot(), ports)
    approved = frozenset(each.digest for each in plan.resources if each.digest)
    outcome = apply_plan("op", "n", items, Snapshot(), ports, approved=approved)
    assert outcome.result.status == "succeeded", outcome.result
    one, *others = items
    left = apply_plan("op", "n", others, outcome.snapshot, ports, approved=None)
    assert left.result.resources[-1].status in {"removed", "unchanged"}
    assert left.result.resources[-1].identity == one.identity
    assert find_drift(left.snapshot, ports) == ()


@given(
    st.sampled_from([None, "link", "other", "file", "directory"]),
    st.sampled_from([None, "app"]),
    ENSURE,
)
def test_a_link_is_as_said_or_refused(before: str | None, owner: str | None, ensure: str) -> None:
    """Plan, apply, plan is empty; a file or directory in its place is never touched."""
    ports = host(None)
    kind = "symlink" if before in {"link", "other"} else before
    if kind is not None:
        target = b"to" if before == "link" else b"elsewhere"
        assert kind in {"symlink", "file", "directory"}
        ports.files.put(PATH, Node(kind, 0o777, 0, 0, target))  # type: ignore[arg-type] # as said
    spec: dict[str, Json] = {"path": PATH, "target": "to", "ensure": ensure}
    if owner is not None:
        spec["owner"] = owner
    item, tree = made("symlink-unix", spec), ports.tree()
    outcome = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    if before in {"file", "directory"}:
        assert (outcome.result.status, ports.tree()) == ("failed", tree)
        return
    assert outcome.result.status == "succeeded"
    assert make_plan("n", [item], outcome.snapshot, ports).summary.none == 1
    after = ports.tree()
    apply_plan("op", "n", [], outcome.snapshot, ports, approved=None)
    assert ports.tree() == (tree if before is None else after)


PIECES = st.sampled_from(
    ["a", "b", ".", "\\d", "\\w", "\\s", "\\S", "[ab]", "[^a]", "[0-9x-]", "^", "$", "\\b", "\\B"]
)
PATTERNS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join).map(lambda text: f"({text})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text("ab0 x-_\tü", max_size=8), st.booleans())
@example("(?:a*)*", "b", False)
@example("(?:^)*a", "ba", False)
def test_patterns_find_what_regular_expressions_find(
    pattern: str, text: str, caseless: bool
) -> None:
    """In the common part of the language the answer is that of the standard library."""
    whole = f"(?i){pattern}" if caseless else pattern
    # The standard library says that `\\B` is not found in an empty text.
    assume(len(whole) <= 200 and (text or "\\B" not in pattern))
    assert compiled(whole).found_in(text) == bool(re.search(whole, text))
