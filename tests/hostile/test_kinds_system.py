"""Modules and users who try to make mounts, swap, name servers, filters and routes do more."""

from __future__ import annotations

import msgspec
import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.model import Snapshot
from state_engine.resources.contract import Context, EditFile, RunScript, WriteFile
from state_engine.resources.parts import fstab
from state_engine.resources.registry import KINDS
from tests.fakes.network import NetworkPorts
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource
from tests.fakes.storage import StoragePorts

pytestmark = pytest.mark.hostile

INJECTIONS = (
    "x\ny", "x\r\ny", "x y", "x\ty", "x\0y", "x\x85y", "x\u2028y", "-x", "--", "$(x)", "`x`",
    ";x", "#x", "x#y", "x,y", "../x", "x\\040y", '"', "%s", "x\x1b[2J", "\u017f", "²",
)  # fmt: skip
SPECS: tuple[tuple[str, dict[str, Json]], ...] = (
    ("mount", {"path": "/srv/a", "source": "tmpfs", "fstype": "tmpfs", "options": ["ro"]}),
    ("swap", {"path": "/swap", "size": "64K"}),
    ("locale", {"name": "de_DE.UTF-8", "charset": "UTF-8", "default_for": ["LANG"]}),
    (
        "resolv",
        {"nameservers": ["192.0.2.1"], "search": ["example.net"], "options": ["edns0"]},
    ),
    ("network-address", {"interface": "eth0", "address": "192.0.2.7/24"}),
    (
        "network-route",
        {
            "destination": "198.51.100.0/24",
            "interface": "eth0",
            "via": "192.0.2.1",
            "source": "192.0.2.7",
        },
    ),
    ("nftables", {"table": "edge", "ruleset": "chain a { }"}),
)
CASES = [(kind, spec, field) for kind, spec in SPECS for field in spec]


def steps_of(kind: str, spec: dict[str, Json]) -> list[object]:
    """Return what would be done, on hosts where each kind has something to do."""
    found: list[object] = []
    for ports in (NetworkPorts(), StoragePorts()):
        if isinstance(ports, NetworkPorts):
            ports.networkd(2)
            ports.ifupdown("eth1")
        try:
            observation = KINDS[kind].observe(spec, ports, verify=False)
        except Exception:  # noqa: BLE001, S112 - the other host is the one for this kind
            continue
        difference = KINDS[kind].compare(spec, observation, Context())
        found += KINDS[kind].steps(spec, difference)
    return found


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize(("kind", "spec", "field"), CASES)
def test_no_value_becomes_an_option_a_line_or_a_word_more(
    kind: str, spec: dict[str, Json], field: str, value: str
) -> None:
    """Refused; or one argument that is no option, and one line that says what it says."""
    old = spec[field]
    evil: dict[str, Json] = {**spec, field: [value] if isinstance(old, list) else value}
    if field == "path":
        evil[field] = f"/srv/{value}"
    try:
        if KINDS[kind].validate(evil):
            return
    except msgspec.ValidationError:  # one of a few words is wanted, and loading refuses others
        return
    lines = "\n" if field == "ruleset" else ""
    assert not set(str(evil[field])) & (set("\n\r\0\x1b\x85") - set(lines))
    for step in steps_of(kind, evil):
        if isinstance(step, RunScript):
            words = step.call.argv
            if value in words:
                assert not value.startswith("-") or value == "--"
        elif isinstance(step, EditFile) and step.path.endswith("fstab"):
            (line,) = step.content.decode().rstrip("\n").split("\n")
            assert fstab.parse(line) is not None
            assert len(line.split("\t")) == 6
        elif isinstance(step, WriteFile):
            assert step.content.decode().isprintable() or "\n" in step.content.decode()
            assert not any(char in step.content.decode() for char in "\r\0\x1b\x85")


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("mount", SPECS[0][1], "/etc/fstab"),
        ("swap", SPECS[1][1], "/etc/fstab"),
        ("swap", SPECS[1][1], "/swap"),
        ("mount", SPECS[0][1], "/srv/a"),
    ],
)
@pytest.mark.parametrize("ensure", ["present", "absent"])
def test_no_link_leads_to_another_file(
    kind: str, spec: dict[str, Json], path: str, ensure: str
) -> None:
    """A link where our file would be: an error, or nothing to do; never what it leads to."""
    ports = StoragePorts()
    ports.files.put("/etc/passwd", Node("file", 0o644, 0, 0, b"root:x\n"))
    ports.files.put(path, Node("symlink", 0o777, 1000, 1000, b"/etc/passwd"))
    before = ports.tree()
    wish = resource(kind, str(spec["path"]), {**spec, "ensure": ensure})
    apply_plan("op", "node", [wish], Snapshot(), ports, approved=None)
    after = ports.tree()
    assert after["/etc/passwd"] == before["/etc/passwd"]
    assert after[path] == before[path]
    assert not any("passwd" in call for call in ports.storage.calls)


def test_a_link_in_the_place_of_our_own_file_is_replaced_not_followed() -> None:
    """The name is ours alone; what it leads to is not."""
    ports = NetworkPorts()
    ports.networkd(2)
    wish = resource("network-address", "eth0 192.0.2.7/24", SPECS[4][1])
    done = apply_plan("op", "node", [wish], Snapshot(), ports, approved=None)
    (path,) = [each for each in ports.files.nodes if "standfast-" in each]
    ports.files.put("/etc/passwd", Node("file", 0o644, 0, 0, b"root:x\n"))
    ports.files.put(path, Node("symlink", 0o777, 0, 0, b"/etc/passwd"))
    again = apply_plan("op", "node", [wish], done.snapshot, ports, approved=None)
    assert again.result.status == "succeeded", again.result
    assert ports.files.nodes["/etc/passwd"].content == b"root:x\n"
    assert ports.files.nodes[path].kind == "file"


@pytest.mark.parametrize(
    "ruleset",
    [
        "}\nflush ruleset\ntable inet edge {",
        "chain a { }\n}; delete table inet theirs; table inet edge {",
        'include "/etc/shadow"',
        'chain a {\nlog prefix "a\\" } } flush ruleset #"\n}',
        'chain a {\nlog prefix "a\n} } flush ruleset\n#"\n}',
        "chain a { # }\n} }",
        "chain a { } \x00 }",
        "define x = {\nchain a { }",
    ],
)
def test_no_ruleset_leaves_its_table(ruleset: str) -> None:
    assert KINDS["nftables"].validate({"table": "edge", "ruleset": ruleset})


def test_a_secret_option_is_in_no_plan() -> None:
    """Neither the new password of a share nor the old one, under whatever field it is shown."""
    ports = StoragePorts()
    line = b"//files/x /srv/a cifs password=old-secret 0 0\n"
    ports.files.put("/etc/fstab", Node("file", 0o600, 0, 0, line))
    spec: dict[str, Json] = {
        "path": "/srv/a", "source": "//files/x", "fstype": "cifs",
        "options": ["password=new-secret"],
    }  # fmt: skip
    wish = resource("mount", "/srv/a", spec, sensitive=("options",))
    plan = make_plan("node", [wish], Snapshot(), ports)
    assert plan.resources[0].action == "update"
    assert "secret" not in repr(plan)


def test_a_users_file_in_a_swap_files_place_is_not_deleted() -> None:
    """Not even one that says it is swap, if it is not the one that was planned."""
    ports = StoragePorts()
    content = bytes(4086) + b"SWAPSPACE2" + bytes(61_440)
    ports.files.put("/swap", Node("file", 0o600, 0, 0, content))
    wish = resource("swap", "/swap", {"path": "/swap", "ensure": "absent"})
    plan = make_plan("node", [wish], Snapshot(), ports)
    ports.files.put("/swap", Node("file", 0o644, 1000, 1000, b"my thesis"))
    digests = frozenset(item.digest for item in plan.resources)
    done = apply_plan("op", "node", [wish], Snapshot(), ports, approved=digests)
    assert done.result.status == "failed"
    assert ports.files.nodes["/swap"].content == b"my thesis"


def test_a_table_of_an_enormous_number_of_lines_is_an_error() -> None:
    """A file of a gigabyte in fstab's place is not read."""
    ports: FakePorts = StoragePorts()
    ports.files.put("/etc/fstab", Node("file", 0o644, 0, 0, b"#" * (fstab.MAX_FILE + 1)))
    wish = resource("mount", "/srv/a", SPECS[0][1])
    plan = make_plan("node", [wish], Snapshot(), ports)
    assert plan.resources[0].action == "error"
