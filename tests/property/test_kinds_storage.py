"""What holds for mounts and swap from every starting state."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.parts import fstab, mount_table
from state_engine.resources.parts.fstab import Entry
from state_engine.resources.registry import KINDS
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.storage import SIGNATURE, StoragePorts

SIZE = 65_536
FILES = ("/swap", "/srv/other")
PATHS = ("/srv/a", "/srv/with space")
OTHERS = "# theirs\nUUID=12\t/\text4\terrors=remount-ro\t0\t1\n\nnot a line\n"
SWAP = bytes(4086) + SIGNATURE + bytes(SIZE - 4096)
OPTIONS = st.lists(
    st.sampled_from(["ro", "rw", "nosuid", "nodev", "exec", "noexec", "noatime", "nofail"]),
    max_size=3,
)


@dataclass
class Story:
    """A host and what is desired of it."""

    ports: StoragePorts
    resources: list[ResolvedResource]


def desired(kind: str, spec: dict[str, Json]) -> ResolvedResource:
    assert KINDS[kind].validate(spec) == [], spec
    identity = KINDS[kind].identity(spec, None)
    assert identity is not None
    return resource(kind, identity, spec)


def a_swap(draw: st.DrawFn, ports: StoragePorts, path: str) -> None:
    content = draw(st.sampled_from([None, b"", bytes(SIZE), SWAP, SWAP + bytes(4096)]))
    if content is None:
        return
    # Only what was cut off in the making is the making's: swap itself may have any mode.
    modes = [0o600, 0o644] if SIGNATURE in content else [0o600]
    ports.files.put(path, Node("file", draw(st.sampled_from(modes)), 0, 0, content))
    if SIGNATURE in content and draw(st.booleans()):
        ports.storage.swaps[path] = draw(st.sampled_from([-2, 5]))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    ports = StoragePorts()
    ensure = st.sampled_from(["present", "absent"])
    lines = [OTHERS]
    wishes: list[ResolvedResource] = []
    for path in FILES:
        a_swap(draw, ports, path)
        for _ in range(draw(st.integers(0, 2))):
            options = draw(st.sampled_from(["sw", "defaults", "pri=5"]))
            lines.append(f"{path} none swap {options} 0 0\n")
        spec: dict[str, Json] = {
            "path": path, "size": "64K", "ensure": draw(ensure), "boot": draw(st.booleans()),
        }  # fmt: skip
        if draw(st.booleans()):
            spec["priority"] = 5
        wishes.append(desired("swap", spec))
    for path in PATHS:
        if draw(st.booleans()):
            ports.files.put(path, Node("directory", 0o755, 0, 0))
        options = ["defaults", "ro", "nosuid,x-theirs", "user,exec"]
        for _ in range(draw(st.integers(0, 2))):
            entry = Entry("tmpfs", path, "tmpfs", tuple(draw(st.sampled_from(options)).split(",")))
            lines.append(f"{entry.line}\n")
        for _ in range(draw(st.integers(0, 2))):
            ports.files.put(path, Node("directory", 0o755, 0, 0))
            source = draw(st.sampled_from([("tmpfs", "tmpfs"), ("ext4", "/dev/vdb")]))
            flags = draw(st.sampled_from(["rw", "ro", "rw,nosuid,noatime"]))
            ports.storage.mounts.append((path, *source, flags))
        mount: dict[str, Json] = {
            "path": path, "source": "tmpfs", "fstype": "tmpfs", "options": [*draw(OPTIONS)],
            "ensure": draw(ensure),
        }  # fmt: skip
        mount[draw(st.sampled_from(["boot", "mounted"]))] = draw(st.booleans())
        wishes.append(desired("mount", mount))
    if draw(st.booleans()):
        ports.files.put("/etc/fstab", Node("file", 0o664, 0, 0, "".join(lines).encode()))
    ports.storage.tell()
    return Story(ports, wishes)


def fstab_lines(ports: StoragePorts) -> list[str]:
    node = ports.files.nodes.get("/etc/fstab")
    return [] if node is None else node.content.decode().splitlines()


@given(stories())
def test_a_plan_after_an_apply_is_empty(story: Story) -> None:
    """The plan changes nothing; what is approved is done; the host and its fstab are right."""
    ports = story.ports
    before, calls = ports.tree(), len(ports.storage.calls)
    theirs = [line for line in fstab_lines(ports) if line in OTHERS.splitlines()]
    plan = make_plan("node", story.resources, Snapshot(), ports)
    assert ports.tree() == before
    assert len(ports.storage.calls) == calls
    assert plan.summary.error == 0, plan
    digests = frozenset(item.digest for item in plan.resources if item.digest)
    done = apply_plan("op", "node", story.resources, Snapshot(), ports, approved=digests)
    assert done.result.status == "succeeded", done.result
    again = make_plan("node", story.resources, done.snapshot, ports)
    assert again.summary.none == len(story.resources), again
    assert find_drift(done.snapshot, ports) == ()
    entries = [entry for entry in map(fstab.parse, fstab_lines(ports)) if entry is not None]
    for wish in story.resources:
        spec = wish.spec
        present = spec["ensure"] == "present"
        where = [each for each in entries if spec["path"] in {each.source, each.target}]
        assert len(where) == (present and spec.get("boot", True)), wish
        if wish.kind == "swap":
            assert (spec["path"] in ports.storage.swaps) == present
            node = ports.files.nodes.get(str(spec["path"]))
            assert (node is not None) == present
            assert node is None or (node.mode, len(node.content)) == (0o600, SIZE)
        elif present and spec.get("mounted", True):
            top = [each for each in ports.storage.mounts if each[0] == spec["path"]][-1]
            assert top[1:3] == ("tmpfs", "tmpfs")
    left = [line for line in fstab_lines(ports) if line in OTHERS.splitlines()]
    assert left == theirs
    # Memory that was swapped out is nowhere kept.
    assert not any(SIGNATURE in content for content in ports.backups.kept.values())


@given(stories())
def test_removal_takes_only_what_was_made(story: Story) -> None:
    """What was on, mounted or listed before us is there; what was not, is gone."""
    ports = story.ports
    wishes = [each for each in story.resources if each.spec["ensure"] == "present"]
    swaps = set(ports.storage.swaps)
    files = {path for path in FILES if path in ports.files.nodes}
    mounted = {each[0] for each in ports.storage.mounts}
    listed = {entry.target for entry in map(fstab.parse, fstab_lines(ports)) if entry is not None}
    done = apply_plan("op", "node", wishes, Snapshot(), ports, approved=None)
    done = apply_plan("op", "node", [], done.snapshot, ports, approved=None)
    assert (done.result.status, done.snapshot.applied) == ("succeeded", ())
    for path in {str(each.spec["path"]) for each in wishes}:
        if path in FILES:
            assert (path in ports.files.nodes) >= (path in files)
            assert (path in ports.storage.swaps) >= (path in swaps)
        elif path not in mounted | listed:
            assert path not in {each[0] for each in ports.storage.mounts}
            assert not [entry for entry in map(fstab.parse, fstab_lines(ports)) if entry
                        and entry.target == path]  # fmt: skip


WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n\x85\u2028\u2029"), min_size=1
)


@given(WORDS, WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_a_line_says_what_its_entry_says(source: str, target: str, options: list[str]) -> None:
    """Whatever the fields hold, it is one line, and read again it is the same."""
    plain = tuple(
        "".join(
            char for char in option if char.isascii() and char.isprintable() and char not in ", "
        )
        or "x"
        for option in options
    )
    entry = Entry(source, target, "auto", plain, 0, 2)
    assert "\n" not in entry.line
    assert fstab.parse(entry.line) == entry


@given(OPTIONS)
def test_options_in_other_words_are_the_same(options: list[str]) -> None:
    assert mount_table.normal(["defaults", "rw", "suid", *options]) == mount_table.normal(options)
