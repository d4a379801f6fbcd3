"""What holds for every archive, certificate and container, from every state of the host."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.steps import Outcome, carry_out
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.archive import Archive
from state_engine.resources.certificate import Certificate
from tests.fakes.archives import FORMATS, packed
from tests.fakes.container_host import ContainerHost
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource


def converges(item: ResolvedResource, ports: FakePorts) -> Snapshot:
    """Apply exactly what a plan showed; then nothing is left to do, and nothing has drifted."""
    before = ports.tree()
    plan = make_plan("n", [item], Snapshot(), ports)
    assert ports.tree() == before
    approved = frozenset(found.digest for found in plan.resources if found.digest)
    outcome = apply_plan("op", "n", [item], Snapshot(), ports, approved=approved)
    assert outcome.result.status == "succeeded", outcome.result.resources
    after = make_plan("n", [item], outcome.snapshot, ports)
    assert after.summary.none == 1, after
    assert find_drift(outcome.snapshot, ports) == ()
    return outcome.snapshot


PARTS = st.sampled_from(["a", "b", "c d", "é", "-x"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
CONTENTS = st.binary(max_size=20)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, bytes]:
    """Files of which none lies where another one's directory has to be."""
    files: dict[str, bytes] = {}
    for path, content in draw(st.dictionaries(PATHS, CONTENTS, min_size=1, max_size=6)).items():
        inside = [other for other in files if f"{other}/".startswith(f"{path}/")]
        if not inside and not any(f"{path}/".startswith(f"{other}/") for other in files):
            files[path] = content
    return files


@given(
    trees(),
    st.sampled_from(FORMATS),
    st.sets(st.integers(0, 5)),
    st.sampled_from(["missing", "content", "mode", "owner"]),
    st.sampled_from([None, "0640", "0600"]),
    st.sampled_from([None, "app"]),
)
@settings(max_examples=80, deadline=None)
def test_an_unpacked_archive_converges_from_every_state(
    files: dict[str, bytes],
    form: str,
    touched: set[int],
    how: str,
    mode: str | None,
    owner: str | None,
) -> None:
    """Whatever became of some of its files; what is not in it is never touched."""
    ports = FakePorts()
    for path in ("/opt", "/opt/t"):
        ports.files.put(path, Node("directory", 0o755, 0, 0))
    ports.files.put("/opt/t/own", Node("file", 0o600, 3, 4, b"mine"))
    ports.files.put("/a", Node("file", 0o644, 0, 0, packed(files, form)))
    spec: dict[str, Json] = {"path": "/opt/t", "source": "/a"}
    spec |= {} if mode is None else {"mode": mode}
    spec |= {} if owner is None else {"owner": owner}
    item = resource("archive", "/opt/t:a", spec)
    snapshot = converges(item, ports)
    for number, path in enumerate(sorted(files)):
        if number not in touched:
            continue
        node = ports.files.nodes[f"/opt/t/{path}"]
        if how == "missing":
            ports.files.remove(f"/opt/t/{path}")
            continue
        node.content = node.content + b"!" if how == "content" else node.content
        node.mode = 0o4777 if how == "mode" else node.mode
        node.uid = 9 if how == "owner" else node.uid
        ports.files.touch(f"/opt/t/{path}")
    converges(item, ports)
    for path, content in files.items():
        node = ports.files.nodes[f"/opt/t/{path}"]
        assert node.content == content
        assert mode is None or node.mode == int(mode, 8)
        assert owner is None or node.uid == 1000
    apply_plan("op", "n", [], snapshot, ports, approved=None)
    assert ports.files.names("/opt/t") == ("own",)
    own = ports.files.nodes["/opt/t/own"]
    assert (own.mode, own.uid, own.content) == (0o600, 3, b"mine")


NAMES = st.lists(st.sampled_from(["x.example.org", "*.y.org", "192.0.2.1", "::1", "URI:a://b"]))
SUBJECTS = st.dictionaries(st.sampled_from(["CN", "O", "OU"]), st.sampled_from(["a", "B c", "é"]))


@st.composite
def certificates(draw: st.DrawFn) -> dict[str, Json]:
    subject = draw(SUBJECTS)
    names = draw(NAMES) or ([] if subject else ["x.example.org"])
    spec: dict[str, Json] = {"path": "/s/c", "key": "/s/k", "names": [*names]}
    spec["subject"] = {**subject}
    spec["key_type"] = draw(st.sampled_from(["ed25519", "ecdsa-p256"]))
    spec["type"] = draw(st.sampled_from(["self-signed", "request"]))
    if spec["type"] == "self-signed":
        spec["days"] = draw(st.integers(2, 400))
    if draw(st.booleans()):
        spec |= {"owner": "app", "mode": "0640", "key_mode": "0400"}
    return spec


@given(certificates(), certificates(), st.booleans(), st.sampled_from([b"", b"x"]))
@settings(max_examples=60, deadline=None)
def test_certificates_converge_from_every_other(
    first: dict[str, Json], second: dict[str, Json], lost_key: bool, noise: bytes
) -> None:
    """From another wish, without its key, or from a file that is none."""
    ports = FakePorts()
    ports.now = 1.8e9
    ports.files.put("/s", Node("directory", 0o755, 0, 0))
    if noise:
        ports.files.put("/s/c", Node("file", 0o600, 3, 4, noise))
    converges(resource("certificate", "/s/c", first), ports)
    if lost_key:
        ports.files.remove("/s/k")
    key = None if lost_key else ports.files.read("/s/k", 9999)
    converges(resource("certificate", "/s/c", second), ports)
    assert ports.files.nodes["/s/k"].mode in {0o600, 0o400}
    if key is not None and first["key_type"] == second["key_type"]:
        assert ports.files.read("/s/k", 9999) == key


@st.composite
def containers(draw: st.DrawFn) -> dict[str, Json]:
    spec: dict[str, Json] = {
        "name": "web",
        "image": draw(st.sampled_from(["nginx:1", "nginx:2", "r.example.org/a/b:1"])),
        "ports": draw(st.lists(st.sampled_from(["1:2", "127.0.0.1:3:4/udp", "[::1]:5:6"]))),
        "volumes": draw(st.lists(st.sampled_from(["/a:/b", "data:/c:ro", "/d:/e:rw"]))),
        "env": draw(st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["", "x=y z"]))),
    }
    for field, values in (
        ("restart", ["no", "always"]),
        ("command", [["sleep", "1"], ["--version"]]),
        ("user", ["app", "1:2"]),
        ("network", ["host"]),
        ("running", [True, False]),
    ):
        if draw(st.booleans()):
            spec[field] = draw(st.sampled_from(values))  # type: ignore[arg-type]
    return spec


@given(containers(), containers(), st.sampled_from(["docker", "podman"]), st.booleans())
def test_containers_converge_from_every_other(
    first: dict[str, Json], second: dict[str, Json], engine: str, foreign: bool
) -> None:
    """From another wish, or from somebody's container that is to be adopted."""
    host = ContainerHost(engine)
    if foreign:
        host.put("web", ["other:1"], "", running=True)
        first["adopt"] = True
    converges(resource("container", "web", first), host)
    snapshot = converges(resource("container", "web", second), host)
    (applied,) = snapshot.applied
    gone = msgspec.structs.replace(
        snapshot, applied=(msgspec.structs.replace(applied, created=True),)
    )
    apply_plan("op", "n", [], gone, host, approved=None)
    assert host.containers == {}


@given(
    st.booleans(),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, True, False]),
)
def test_a_script_runs_unless_something_says_that_it_is_done(
    again: bool, made: bool | None, check: bool | None, unless: bool | None
) -> None:
    """Whatever the conditions: when it has run, only its states are asked, and they hold then."""
    ports = FakePorts()
    state = {"c": check, "u": unless}
    spec: dict[str, Json] = {"program": "sh", "apply": "a", "manages": "x"}
    if made is not None:
        spec["creates"] = "/made"
        if made:
            ports.files.put("/made", Node("file", 0o644, 0, 0))
    for name, value in state.items():
        if value is not None:
            spec["check" if name == "c" else "unless"] = name
    ports.programs.known["c"] = lambda: 0 if state["c"] else 1
    ports.programs.known["u"] = lambda: 0 if state["u"] else 1

    def apply() -> int:
        state["c"] = True
        ports.files.put("/made", Node("file", 0o644, 0, 0))
        return 0

    ports.programs.known["a"] = apply
    item = resource("script", "x", spec)
    outcome = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    assert outcome.result.status == "succeeded"
    ran = ports.programs.calls.count("a")
    assert ran == int(not (made or check or unless))
    if again and (made is not None or check is not None):
        apply_plan("op", "n", [item], outcome.snapshot, ports, approved=None)
        assert ports.programs.calls.count("a") == ran


@given(trees(), certificates(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_was_made_anew_can_be_taken_back(
    files: dict[str, bytes], certificate: dict[str, Json], there: bool
) -> None:
    """The steps that were written down before the act leave the host as it was before it."""
    ports = FakePorts()
    ports.now = 1.8e9
    for path in ("/opt", "/s", *(["/opt/t"] if there else [])):
        ports.files.put(path, Node("directory", 0o755, 0, 0))
    ports.files.put("/a", Node("file", 0o644, 0, 0, packed(files, "gz")))
    archive: dict[str, Json] = {"path": "/opt/t", "source": "/a"}
    before = ports.tree()
    for kind, spec in ((Archive(), archive), (Certificate(), certificate)):
        observation = kind.observe(spec, ports, verify=False)
        back = kind.revert(spec, observation, {})
        converges(resource(kind.name, "x", spec), ports)
        assert ports.tree() != before
        carry_out(back, ports, Outcome())
        assert ports.tree() == before
        # What was there before, and was changed, is not taken back by less than the whole of it.
        converges(resource(kind.name, "x", spec), ports)
        assert kind.revert(spec, kind.observe(spec, ports, verify=False), {}) == ()
        carry_out(back, ports, Outcome())


@given(trees(), trees(), st.sampled_from(FORMATS))
@settings(max_examples=40, deadline=None)
def test_the_next_version_of_an_archive_takes_the_place_of_the_one_before(
    old: dict[str, bytes], new: dict[str, bytes], form: str
) -> None:
    """Of another name, as versions have it: what both hold is still there afterwards."""
    ports = FakePorts()
    ports.files.put("/opt", Node("directory", 0o755, 0, 0))
    snapshot, items = Snapshot(), []
    for version, files in (("1", old), ("2", {**new, "shared": b"both"})):
        source = f"/app-{version}.tgz"
        data = packed({**files, "shared": b"both"}, form)
        ports.files.put(source, Node("file", 0o644, 0, 0, data))
        spec: dict[str, Json] = {"path": "/opt/t", "source": source}
        items = [resource("archive", Archive().identity(spec, None) or "", spec)]
        outcome = apply_plan("op", "n", items, snapshot, ports, approved=None)
        if any(each.status == "failed" for each in outcome.result.resources):
            return  # a directory in a file's place: refused, and told
        snapshot = outcome.snapshot
    assert all(f"/opt/t/{path}" in ports.files.nodes for path in [*new, "shared"])
    assert make_plan("n", items, snapshot, ports).summary.none == 1
