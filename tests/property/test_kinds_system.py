"""What holds for resolv and locale from every starting state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import ResolvedResource, Snapshot
from state_engine.ports import Ports
from state_engine.resources.registry import KINDS
from tests.fakes.glibc import GlibcPorts
from tests.fakes.network import FakeIp, NetworkPorts
from tests.fakes.ports import Node
from tests.fakes.resources import resource

FILE, DROP_IN = "/etc/resolv.conf", "/etc/systemd/resolved.conf.d/standfast.conf"
RUNNING = "/run/systemd/resolve/resolv.conf"
SERVERS = st.sampled_from(["192.0.2.53", "198.51.100.53", "2001:db8::53"])
TEXTS = st.sampled_from([
    None, "", "nameserver 192.0.2.53\n", "# theirs \u2028\nnameserver 10.0.0.1\nsortlist x\n",
    "# Written by Standfast.\nnameserver 192.0.2.53\n", "search a b\noptions rotate",
])  # fmt: skip


class FakeResolved(FakeIp):
    """systemd-resolved, which reads its drop-in whenever it is started again."""

    def run(self, call: object) -> CapturedStream:
        argv = getattr(call, "argv", ())
        if argv[0] != "systemctl":
            return super().run(call)  # type: ignore[arg-type]  # it is a ProgramCall
        self.calls.append(" ".join(argv))
        node = self.files.nodes.get(DROP_IN)
        text = "" if node is None else node.content.decode()
        servers = text.partition("DNS=")[2].partition("\n")[0].split()
        said = "".join(f"nameserver {server}\n" for server in [*servers, "10.9.9.9"])
        self.files.put(RUNNING, Node("file", 0o644, 0, 0, said.encode()))
        return CapturedStream(0, "", "")


def desired(kind: str, spec: dict[str, Json]) -> ResolvedResource:
    assert KINDS[kind].validate(spec) == [], spec
    identity = KINDS[kind].identity(spec, None)
    assert identity is not None
    return resource(kind, identity, spec)


def converges(ports: Ports, wishes: list[ResolvedResource]) -> Snapshot:
    """Plan, apply what was planned, and plan again: nothing is left, nothing has drifted."""
    plan = make_plan("node", wishes, Snapshot(), ports)
    assert plan.summary.error == 0, plan
    digests = frozenset(item.digest for item in plan.resources if item.digest)
    done = apply_plan("op", "node", wishes, Snapshot(), ports, approved=digests)
    assert done.result.status == "succeeded", done.result
    again = make_plan("node", wishes, done.snapshot, ports)
    assert again.summary.none == len(wishes), again
    assert find_drift(done.snapshot, ports) == ()
    return done.snapshot


@given(st.data())
def test_name_servers_hold_from_every_state(data: st.DataObject) -> None:
    """Whoever is told; at the end a file that was there before us is there again."""
    ports = NetworkPorts()
    ports.programs = FakeResolved(ports)
    linked, by_file = data.draw(st.booleans()), data.draw(TEXTS)
    if linked:
        ports.files.put(FILE, Node("symlink", 0o777, 0, 0, b"../run/systemd/resolve/stub"))
    elif by_file is not None:
        mode = data.draw(st.sampled_from([0o644, 0o600, 0o755]))
        ports.files.put(FILE, Node("file", mode, 0, 0, by_file.encode()))
    if linked or data.draw(st.booleans()):
        ports.files.put("/run/systemd/resolve", Node("directory", 0o755, 0, 0))
        ports.say(RUNNING, data.draw(st.sampled_from(["", "nameserver 192.0.2.53\n"])))
    if data.draw(st.booleans()):
        ports.files.put("/etc/systemd/resolved.conf.d", Node("directory", 0o755, 0, 0))
        ports.say(DROP_IN, data.draw(st.sampled_from(["", "[Resolve]\nDNS=192.0.2.53\n"])))
    before = ports.tree()
    spec: dict[str, Json] = {
        "nameservers": [*data.draw(st.lists(SERVERS, min_size=1, max_size=3, unique=True))],
        "search": [*data.draw(st.sampled_from([(), ("example.net", "a")]))],
    }
    if data.draw(st.booleans()):
        spec = {"ensure": "absent"}
    snapshot = converges(ports, [desired("resolv", spec)])
    end = apply_plan("op", "node", [], snapshot, ports, approved=None)
    assert end.result.status == "succeeded", end.result
    ours = (by_file or "").startswith("# Written by Standfast.")
    if spec != {"ensure": "absent"} and not ours:
        assert ports.tree().get(FILE) == before.get(FILE)


NAMES = ("de_DE.UTF-8", "de_DE", "en_GB.UTF-8")
VARIABLES = ("LANG", "LC_TIME", "LC_PAPER")


@given(st.data())
def test_locales_hold_from_every_state(data: st.DataObject) -> None:
    """Listed, made and default as wished, whatever was; other lines and defaults stay."""
    ports = GlibcPorts()
    debian = data.draw(st.booleans())
    path = "/etc/locale.conf"
    if debian:
        ports.glibc.say("/usr/sbin/locale-gen", "")
        ports.glibc.say("/etc/debian_version", "12\n")
        path = "/etc/default/locale"
        marks = [data.draw(st.sampled_from(["", "# ", "#", None])) for _ in NAMES]
        lines = [
            f"{mark}{name} {'UTF-8' if 'UTF' in name else 'ISO-8859-1'}\n"
            for mark, name in zip(marks, NAMES, strict=True)
            if mark is not None
        ]
        if data.draw(st.booleans()):
            ports.glibc.say("/etc/locale.gen", "".join(["# This lists\n\n", *lines]))
    for name in data.draw(st.sets(st.sampled_from(NAMES))):
        ports.glibc.make(name, "UTF-8" if "UTF" in name else "ISO-8859-1")
    values = [data.draw(st.sampled_from([None, "C", "de_DE", '"de_DE.utf8"'])) for _ in VARIABLES]
    pairs = zip(VARIABLES, values, strict=True)
    text = "".join(f"{key}={value}\n" for key, value in pairs if value is not None)
    if data.draw(st.booleans()):
        ports.glibc.say(path, f"# theirs\nLC_NAME=fr_FR\n{text}")
    free = list(VARIABLES)
    wishes: list[ResolvedResource] = []
    for name in NAMES:
        spec: dict[str, Json] = {"name": name, "ensure": "absent"}
        if data.draw(st.booleans()):
            mine = data.draw(st.lists(st.sampled_from(VARIABLES), max_size=2, unique=True))
            mine = [key for key in mine if key in free]
            free = [key for key in free if key not in mine]
            spec = {"name": name, "default_for": [*mine]}
        wishes.append(desired("locale", spec))
    had_file = path in ports.files.nodes
    converges(ports, wishes)
    for wish in wishes:
        present = "ensure" not in wish.spec
        assert bool([name for name in ports.glibc.made if _is(name, wish.identity)]) == present
    if had_file:
        assert ports.files.nodes[path].content.startswith(b"# theirs\nLC_NAME=fr_FR\n")


def _is(made: str, name: str) -> bool:
    return made == name.replace("UTF-8", "utf8")
