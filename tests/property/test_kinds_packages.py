"""What holds for every package, version and host: the kinds of packages and what they rest on."""

from __future__ import annotations

import functools
import itertools
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import ResolvedResource, Snapshot
from state_engine.ports import ProgramCall
from state_engine.resources.contract import Context, RunScript
from state_engine.resources.package_apt import PackageApt
from state_engine.resources.parts import debian_versions, dpkg_status, python_versions
from tests.fakes.debian import FakeDebian
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

# Few characters, so that two of them are often nearly the same.
TAIL = st.text("019.+~-:aZ", max_size=8)


@st.composite
def versions(draw: st.DrawFn) -> str:
    epoch = draw(st.sampled_from(["", "0:", "1:", "00:"]))
    return epoch + draw(st.sampled_from(["0", "1", "10", "00"])) + draw(TAIL)


VERSIONS = versions()


def dpkg_says(left: str, right: str) -> int | None:
    """Return the order in which dpkg puts two versions, or None if it takes one for no version."""
    for relation, answer in (("lt", -1), ("eq", 0), ("gt", 1)):
        argv = ["dpkg", "--compare-versions", left, relation, right]
        done = subprocess.run(argv, check=False, capture_output=True)
        if done.stderr:
            return None
        if done.returncode == 0:
            return answer
    return None


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg")
@settings(max_examples=150, deadline=None)
@example("1.0", "1.0-0")
@example("1~", "1")
@example("0:1", "1")
@example("1.0-1~bpo1", "1.0-1")
@example("1-1", "1-01")
@example("1a", "1+")
@given(VERSIONS, VERSIONS)
def test_versions_are_ordered_as_dpkg_orders_them(left: str, right: str) -> None:
    """Debian Policy 5.6.12, by the word of the program that implements it."""
    answer = dpkg_says(left, right)
    if answer is not None:
        assert debian_versions.is_version(left)
        assert debian_versions.is_version(right)
        assert debian_versions.compare(left, right) == answer


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_of_versions_is_an_order(a: str, b: str, c: str) -> None:
    """Every version equals itself, turning a pair turns the answer, and it is transitive."""
    compare = debian_versions.compare
    assert compare(a, a) == 0
    assert compare(a, b) == -compare(b, a)
    first, second, third = sorted((a, b, c), key=functools.cmp_to_key(compare))
    assert compare(first, second) <= 0
    assert compare(second, third) <= 0
    assert compare(first, third) <= 0


@given(VERSIONS, VERSIONS)
def test_exactly_one_of_three_relations_holds(version: str, other: str) -> None:
    """`<<`, `=` and `>>` split all versions, and `<=` and `>=` are made of them."""
    holds = {
        relation: debian_versions.satisfies(version, [debian_versions.Term(relation, other)])
        for relation in ("<<", "=", ">>", "<=", ">=")
    }
    assert [holds["<<"], holds["="], holds[">>"]].count(True) == 1
    assert holds["<="] == (holds["<<"] or holds["="])
    assert holds[">="] == (holds[">>"] or holds["="])


@given(st.text(max_size=40))
def test_any_text_is_a_constraint_or_is_none(text: str) -> None:
    """Nothing raises, and what is accepted holds versions only."""
    terms = debian_versions.parse_constraint(text)
    assert terms is None or all(debian_versions.is_version(term.version) for term in terms)
    python_versions.canonical(text)


NUMBERS = st.integers(0, 3)


@st.composite
def python_version_texts(draw: st.DrawFn) -> str:
    release = [*draw(st.lists(NUMBERS, min_size=1, max_size=3)), *[0] * draw(NUMBERS)]
    tails = ["", "a1", ".alpha-1", "rc0", "C", ".post2", "-2", ".dev0", "+x.1", "+X-01"]
    return ".".join(map(str, release)) + draw(st.sampled_from(tails))


@given(python_version_texts())
def test_a_python_versions_one_spelling_is_its_own(version: str) -> None:
    """Writing it in its one way changes nothing the second time, and they are the same version."""
    once = python_versions.canonical(version)
    assert once is not None
    assert python_versions.canonical(once) == once
    assert python_versions.is_what_was_asked(version, once)


NAMES = ("alpha", "beta", "libc++1")
STATES = ("installed", "config-files", "half-configured", "unpacked", "not-installed")
POOL = ("1.0-1", "1.2-1", "1.10-1")


@st.composite
def hosts(draw: st.DrawFn) -> tuple[FakeDebian, list[ResolvedResource]]:
    """A host with some packages in any state, an index, and wishes that the index can fulfil."""
    packages: dict[str, list[str]] = {}
    resources: list[ResolvedResource] = []
    for name in NAMES:
        spec: dict[str, Json] = {"name": name}
        if draw(st.booleans()):
            spec["ensure"] = "absent"
        else:
            wishes = [None, "present", "latest", *POOL, ">= 1.1", "<< 1.10, >= 1.2", "< 1.10"]
            wish = draw(st.sampled_from(wishes))
            hold = draw(st.sampled_from([None, True, False]))
            spec |= {"version": wish} if wish is not None else {}
            spec |= {"hold": hold} if hold is not None else {}
        if draw(st.booleans()):
            state = draw(st.sampled_from(STATES))
            # Someone's own hold, where the module says nothing of holds, is for another test.
            want = "hold" if "hold" in spec and draw(st.booleans()) else "install"
            packages[name] = [want, state, draw(st.sampled_from([*POOL, "0.9", "2.0"]))]
        resources.append(resource("package-apt", name, spec))
    index: dict[str, list[str]] = {name: list(POOL) for name in NAMES}
    return FakeDebian(packages, index, draw(st.integers(0, 2))), resources


@given(hosts())
def test_packages_converge_from_every_state(
    made: tuple[FakeDebian, list[ResolvedResource]],
) -> None:
    """Plan, apply what it showed, and nothing is left to do; a plan by itself changes nothing."""
    host, resources = made
    before = {name: list(values) for name, values in host.packages.items()}
    plan = make_plan("node", resources, Snapshot(), host)
    assert host.packages == before
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = apply_plan("op", "node", resources, Snapshot(), host, approved=approved)
    assert outcome.result.status == "succeeded", outcome.result
    after = make_plan("node", resources, outcome.snapshot, host)
    assert after.summary.none == len(resources), after
    assert find_drift(outcome.snapshot, host) == ()
    removed = apply_plan("op", "node", [], outcome.snapshot, host, approved=None)
    assert removed.result.status == "succeeded"
    assert {name for name, values in host.packages.items() if values[1] == "installed"} == {
        item.identity for item in resources if item.spec.get("ensure") != "absent"
    }


@given(st.sampled_from(POOL), st.sampled_from([None, "latest", *POOL, ">= 1.1"]), st.booleans())
def test_a_hold_that_nobody_mentioned_is_never_broken(
    version: str, wish: str | None, absent: bool
) -> None:
    """Whatever the wish: a held package stays what it is."""
    host = FakeDebian({"alpha": ["hold", "installed", version]}, {"alpha": list(POOL)})
    spec: dict[str, Json] = {"name": "alpha"}
    spec |= {"ensure": "absent"} if absent else ({} if wish is None else {"version": wish})
    item = resource("package-apt", "alpha", spec)
    apply_plan("op", "node", [item], Snapshot(), host, approved=None)
    assert host.packages == {"alpha": ["hold", "installed", version]}


STANZA_NAMES = st.sampled_from(["a1", "b2", "c3"])
FIELDS = st.lists(
    st.sampled_from(["Description: x\n .\n Package: not-this", "Conffiles:\n /etc/x 0", "X-Y: z"])
)


@given(st.dictionaries(STANZA_NAMES, st.tuples(st.sampled_from(STATES), FIELDS)), st.booleans())
def test_the_status_file_is_read_whatever_stands_between(
    packages: dict[str, tuple[str, list[str]]], first: bool
) -> None:
    """Other fields, their order and their continued lines hide nothing and invent nothing."""
    stanzas: list[str] = []
    for name, (state, fields) in packages.items():
        status = f"Status: install ok {state}\nVersion: 1\nArchitecture: all"
        body = "\n".join([status, *fields] if first else [*fields, status])
        stanzas.append(f"Package: {name}\n{body}\n")
    index = dpkg_status.make_index("\n".join(stanzas).encode())
    assert {name.decode() for name in index} == set(packages)
    for name, (state, _) in packages.items():
        package = dpkg_status.parse(index[name.encode()][0])
        assert package is not None
        known = {"config-files": "absent", "not-installed": "absent"}
        assert (package.state, package.version) == (known.get(state, state), "1")


URIS = st.lists(st.sampled_from(["https://a.example/x", "file:/srv/r"]), min_size=1, max_size=2)


@given(URIS, st.sampled_from(["nothing", "other", "private"]), st.booleans(), st.booleans())
def test_repositories_converge_from_every_state(
    uris: list[str], standing: str, keyrings: bool, absent: bool
) -> None:
    """Whatever stood in the files: after the apply nothing is left, and the index was fetched."""
    host = FakeDebian({}, {})
    if keyrings:
        host.files.put("/etc/apt/keyrings", Node("directory", 0o755, 0, 0))
    if standing != "nothing":
        mode = 0o600 if standing == "private" else 0o644
        path = "/etc/apt/sources.list.d/x.sources"
        host.files.put(path, Node("file", mode, 0, 0, b"Types: deb\n"))
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----\n"
    spec: dict[str, Json] = {"name": "x", "uris": [*uris], "suites": ["./"], "key": key}
    if absent:
        spec = {"name": "x", "ensure": "absent"}
    item = resource("apt-repository", "x", spec)
    plan = make_plan("node", [item], Snapshot(), host)
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = apply_plan("op", "node", [item], Snapshot(), host, approved=approved)
    assert outcome.result.status == "succeeded", outcome.result
    assert make_plan("node", [item], outcome.snapshot, host).summary.none == 1
    assert find_drift(outcome.snapshot, host) == ()
    assert any(" update" in call for call in host.programs.calls) == (not absent)


class FakeVenv(FakePorts):
    """A virtual environment in memory whose pip installs what it is told, as root or not."""

    def __init__(self, versions: dict[str, str]) -> None:
        super().__init__()
        self.site = "/v/lib/python3.11/site-packages"
        for path in ("/v", "/v/lib", "/v/lib/python3.11", self.site):
            self.files.put(path, Node("directory", 0o755, 0, 0))
        for name, there in versions.items():
            self.put_info(name, there)
        for name, version in itertools.product(("One.Two", "three"), ("1.0", "2.0", None)):
            what = name if version is None else f"{name}=={version}"
            pip = "/v/bin/python -I -m pip --no-input --disable-pip-version-check --no-color"
            install = functools.partial(self.install, name, version or "2.0")
            self.programs.known[f"{pip} install -- {what}"] = install
            uninstall = functools.partial(self.install, name, None)
            self.programs.known[f"{pip} uninstall --yes -- {name}"] = uninstall

    def put_info(self, name: str, version: str) -> None:
        info = f"{self.site}/{name.lower().replace('.', '_')}-{version}.dist-info"
        self.files.put(info, Node("directory", 0o755, 0, 0))
        self.files.put(f"{info}/METADATA", Node("file", 0o644, 0, 0))

    def install(self, name: str, version: str | None) -> int:
        prefix = f"{self.site}/{name.lower().replace('.', '_')}-"
        for path in [path for path in self.files.nodes if path.startswith(prefix)]:
            del self.files.nodes[path]
        if version is not None:
            self.put_info(name, version)
        return 0


@given(
    st.dictionaries(st.sampled_from(["one_two", "three"]), st.sampled_from(["1.0", "2.0", "0.5"])),
    st.sampled_from([None, "present", "1.0", "2.0", "absent"]),
    st.sampled_from(["One.Two", "three"]),
)
def test_python_packages_converge_from_every_state(
    installed: dict[str, str], wish: str | None, name: str
) -> None:
    """Whatever was installed: after the apply nothing is left, other packages are as they were."""
    host = FakeVenv(installed)
    spec: dict[str, Json] = {"name": name, "venv": "/v"}
    if wish is not None:
        spec |= {"ensure": "absent"} if wish == "absent" else {"version": wish}
    item = resource("package-pip", f"/v:{name}", spec)
    outcome = apply_plan("op", "node", [item], Snapshot(), host, approved=None)
    assert outcome.result.status == "succeeded", outcome.result
    assert make_plan("node", [item], outcome.snapshot, host).summary.none == 1
    other = "three" if name == "One.Two" else "one_two"
    names = [entry.partition("-")[0] for entry in host.files.names(host.site)]
    assert (other in names) == (other in installed)


@given(st.sampled_from([*POOL, ">= 1", "latest", "present"]), st.booleans())
def test_every_value_is_an_argument_of_its_own(version: str, hold: bool) -> None:
    """No step goes through a shell, and no value stands where an option could."""
    kind = PackageApt()
    host = FakeDebian({}, {"a1": list(POOL)})
    spec: dict[str, Json] = {"name": "a1", "version": version, "hold": hold}
    difference = kind.compare(spec, kind.observe(spec, host, verify=False), Context())
    for step in kind.steps(spec, difference):
        assert isinstance(step, RunScript)
        assert isinstance(step.call, ProgramCall)
        assert step.call.script is None
        if "install" in step.call.argv:
            assert step.call.argv[-2] == "--"
