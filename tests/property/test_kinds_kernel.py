"""What holds for sysctl, hostname, timezone and kernel-module from every starting state."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.registry import KINDS
from tests.fakes.kernel import RELEASE, KernelPorts
from tests.fakes.ports import Node
from tests.fakes.resources import resource

TEXTS = st.sampled_from([None, "", "# theirs\n", "0\n", "old\n", "net.ipv4.ip_forward = 0\n"])
ZONES = "/usr/share/zoneinfo"


@dataclass
class Story:
    """A host and what is desired of it."""

    ports: KernelPorts
    resources: list[ResolvedResource]


def desired(kind: str, spec: dict[str, Json]) -> ResolvedResource:
    assert KINDS[kind].validate(spec) == [], spec
    identity = KINDS[kind].identity(spec, None)
    assert identity is not None
    return resource(kind, identity, spec)


def maybe_put(draw: st.DrawFn, ports: KernelPorts, path: str) -> None:
    text = draw(TEXTS)
    if text is not None:
        mode = draw(st.sampled_from([0o644, 0o600]))
        ports.files.put(path, Node("file", mode, 0, 0, text.encode()))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    ports = KernelPorts()
    ports.kernel.say("/proc/sys/kernel/hostname", draw(st.sampled_from(["old", "new-1"])))
    ports.kernel.say("/proc/sys/net/ipv4/ip_forward", draw(st.sampled_from(["0", "1"])))
    ports.kernel.say("/proc/sys/net/ipv4/tcp_rmem", "4096\t87380\t6291456")
    if draw(st.booleans()):
        ports.kernel.say("/proc/modules", "loop 16384 0 - Live 0x0")
    if draw(st.booleans()):
        path = f"/lib/modules/{RELEASE}/modules.builtin"
        builtin = b"kernel/net/br-netfilter.ko\n"
        ports.files.put(path, Node("file", 0o644, 0, 0, builtin))
    for zone in ("UTC", "Etc"):
        ports.files.put(f"{ZONES}/{zone}", Node("file", 0o644, 0, 0, b"TZif"))
    for path in (
        "/etc/hostname",
        "/etc/timezone",
        "/etc/sysctl.d/60-net.ipv4.ip_forward.conf",
        "/etc/modules-load.d/loop.conf",
    ):
        maybe_put(draw, ports, path)
    old = draw(st.sampled_from([None, "link", "relative", "copy"]))
    if old == "copy":
        ports.files.put("/etc/localtime", Node("file", 0o644, 0, 0, b"TZif old"))
    elif old is not None:
        prefix = ".." if old == "relative" else ""
        target = f"{prefix}{ZONES}/{draw(st.sampled_from(['UTC', 'Etc', 'Gone']))}"
        ports.files.put("/etc/localtime", Node("symlink", 0o777, 0, 0, target.encode()))
    ensure = st.sampled_from(["present", "absent"])
    forward: dict[str, Json] = {
        "key": "net.ipv4.ip_forward",
        "value": draw(st.sampled_from([0, 1])),
    }
    if draw(st.booleans()):
        forward["live"] = draw(st.booleans())
    if draw(ensure) == "absent":
        forward = {"key": "net/ipv4/ip_forward", "ensure": "absent"}
    rmem: dict[str, Json] = {"key": "net.ipv4.tcp_rmem", "value": "4096  1 2"}
    return Story(
        ports,
        [
            desired("sysctl", forward),
            desired("sysctl", rmem),
            desired("hostname", {"name": "new-1"}),
            desired("timezone", {"name": draw(st.sampled_from(["UTC", "Etc"]))}),
            desired("kernel-module", {"name": "loop", "ensure": draw(ensure)}),
            desired("kernel-module", {"name": "br-netfilter"}),
        ],
    )


@given(stories(), st.booleans())
def test_a_plan_after_an_apply_is_empty(story: Story, approved: bool) -> None:
    """The plan changes nothing; what it says covers the apply; both places are right after it."""
    before = story.ports.tree()
    plan = make_plan("node", story.resources, Snapshot(), story.ports)
    assert story.ports.tree() == before
    assert story.ports.kernel.calls == []
    assert plan.summary.error == 0, plan
    digests = frozenset(item.digest for item in plan.resources if item.digest)
    chosen = digests if approved else None
    outcome = apply_plan(
        "op", "node", story.resources, Snapshot(), story.ports, approved=chosen
    )  # fmt: skip
    assert outcome.result.status == "succeeded", outcome.result
    again = make_plan("node", story.resources, outcome.snapshot, story.ports)
    assert again.summary.none == len(story.resources), again
    assert find_drift(outcome.snapshot, story.ports) == ()
    nodes = story.ports.files.nodes
    assert nodes["/proc/sys/kernel/hostname"].content == b"new-1\n"
    assert nodes["/proc/sys/net/ipv4/tcp_rmem"].content == b"4096\t1\t2\n"
    assert nodes["/etc/localtime"].kind == "symlink"
    wanted = story.resources[4].spec.get("ensure") == "present"
    assert ("loop" in story.ports.kernel.loaded()) == wanted
    assert ("/etc/modules-load.d/loop.conf" in nodes) == wanted
    # A file of somebody's that we did away with or replaced is kept as a copy.
    for path, (kind, *_, content) in before.items():
        if kind == "file" and path.startswith("/etc/") and path not in nodes:
            assert content in story.ports.backups.kept.values()


@given(stories())
def test_removal_gives_the_files_back(story: Story) -> None:
    """What we made is gone, what we replaced is back; name, zone and kernel stay as they are."""
    names = ("/etc/sysctl.d/60-net.ipv4.ip_forward.conf", "/etc/modules-load.d/loop.conf")
    before = {name: story.ports.files.nodes.get(name) for name in names}
    outcome = apply_plan(
        "op", "node", story.resources, Snapshot(), story.ports, approved=None
    )  # fmt: skip
    running = {
        path: node.content
        for path, node in story.ports.files.nodes.items()
        if path.startswith("/proc")
    }
    outcome = apply_plan("op", "node", [], outcome.snapshot, story.ports, approved=None)
    assert (outcome.result.status, outcome.snapshot.applied) == ("succeeded", ())
    for name, index in zip(names, (0, 4), strict=True):
        node = story.ports.files.nodes.get(name)
        if story.resources[index].spec.get("ensure") == "absent":
            assert node is None
        else:
            found, old = node and node.content, before[name]
            assert found == (old and old.content)
    for path, content in running.items():
        assert story.ports.files.nodes[path].content == content


@given(
    st.text(max_size=20) | st.sampled_from(["a/../b", "..", "-x", "a\nb", "a b", "$(x)", "/abs"])
)
def test_no_name_leads_elsewhere(name: str) -> None:
    """Whatever is accepted stays one argument below its own directory, and is no option."""
    for kind, spec in (
        ("sysctl", {"key": name, "value": 1}),
        ("kernel-module", {"name": name}),
        ("timezone", {"name": name}),
        ("hostname", {"name": name}),
    ):
        fields: dict[str, Json] = dict(spec)
        if KINDS[kind].validate(fields):
            continue
        for path in KINDS[kind].watches(fields):
            assert path.startswith("/etc/"), path
            assert not {"..", ".", ""} & set(path[1:].split("/")), path
        assert not name.startswith("/")
        assert name.isascii()
        assert name.isprintable()
        assert kind == "sysctl" or not name.startswith("-")


def test_a_value_that_the_kernel_refuses_is_not_kept_for_the_boot() -> None:
    """The file is written only after the kernel has taken the value."""
    ports = KernelPorts()
    ports.kernel.say("/proc/sys/net/ipv4/ip_forward", "0")
    wish = desired("sysctl", {"key": "net.ipv4.ip_forward", "value": "bogus"})
    outcome = apply_plan("op", "node", [wish], Snapshot(), ports, approved=None)
    assert outcome.result.status == "failed"
    assert "Invalid argument" in (outcome.result.resources[0].error or "")
    assert not any(path.endswith(".conf") for path in ports.files.nodes)
