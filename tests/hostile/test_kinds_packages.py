"""Values that would be options, commands, patterns or lines of their own, were they let through."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.model import Snapshot
from state_engine.ports import FileType
from state_engine.resources.apt_repository import AptRepository
from state_engine.resources.package_apt import PackageApt
from state_engine.resources.package_pip import PackagePip
from state_engine.resources.parts import dpkg_status
from state_engine.resources.parts.apt_tools import literal, parse_policy
from tests.fakes.debian import FakeDebian
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

pytestmark = pytest.mark.hostile

INJECTIONS = [
    "-o=APT::Update::Pre-Invoke::=id",
    "--reinstall",
    "x; id",
    "$(id)",
    "x\ny",
    "x\n",
    "x\0",
    "x y",
    "",
    "../x",
    "/tmp/evil.deb",
    "./evil.deb",
    "x" * 300,
    "xé",
]


def fields(problems: list[object]) -> set[str]:
    return {str(getattr(problem, "field", "")) for problem in problems}


@pytest.mark.parametrize(
    "value", [*INJECTIONS, "nginx-", "nginx/sid", "nginx=1", "a*", "a?b", "A^"]
)
def test_a_package_name_is_nothing_but_a_name(value: str) -> None:
    """Neither an option, nor a file, a removal (`nginx-`), a release or a pattern for apt."""
    assert fields([*PackageApt().validate({"name": value})]) == {"name"}


@pytest.mark.parametrize(
    "value", [*INJECTIONS, "== 1", ">= 1 | << 2", ">=", ">= 1,", "1.0/sid", "1*", "> -1"]
)
def test_a_package_version_is_nothing_but_a_version(value: str) -> None:
    assert fields([*PackageApt().validate({"name": "x1", "version": value})]) == {"version"}


@pytest.mark.parametrize(
    "value",
    [*INJECTIONS, "x@file:///tmp/evil", "x[extra]", "git+https://example.org/x", "-r/etc/shadow"],
)
def test_a_python_package_is_nothing_but_a_name(value: str) -> None:
    """Neither an option nor an address that pip would fetch code from."""
    assert fields([*PackagePip().validate({"name": value, "venv": "/v"})]) == {"name"}


@pytest.mark.parametrize("value", [*INJECTIONS, "1.0,<2", "1.*", "1 ; x", "*"])
def test_a_python_version_is_nothing_but_a_version(value: str) -> None:
    spec: dict[str, Json] = {"name": "x", "venv": "/v", "version": value}
    assert fields([*PackagePip().validate(spec)]) == {"version"}


KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----\n"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../../etc/passwd"),
        ("name", "-x"),
        ("name", "x/y"),
        ("name", "x\n"),
        ("uris", ["https://example.org/x\nTrusted: yes"]),
        ("uris", ["https://example.org/ https://evil.example/"]),
        ("uris", ["https://user:secret@example.org/x"]),
        ("uris", ["cdrom:x"]),
        ("uris", ["[trusted=yes]"]),
        ("uris", ["copy:/x"]),
        ("suites", ["bookworm\nTrusted: yes"]),
        ("suites", ["-x"]),
        ("components", ["main\n\nTypes: deb"]),
        ("architectures", ["amd64\nx"]),
        ("key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx"),
        ("key", f"{KEY}\nx: y"),
        ("key", "/etc/shadow"),
        ("signed_by", "/x\nTrusted: yes"),
        ("signed_by", "/x,/y"),
        ("signed_by", "relative"),
    ],
)
def test_a_source_list_holds_only_the_lines_that_were_meant(field: str, value: Json) -> None:
    """No value can add a line, and signatures cannot be switched off."""
    spec: dict[str, Json] = {
        "name": "x",
        "uris": ["https://example.org/x"],
        "suites": ["stable"],
        "components": ["main"],
    }
    assert AptRepository().validate(spec) == []
    assert fields([*AptRepository().validate({**spec, field: value})]) == {field}


@pytest.mark.parametrize("path", ["sources.list.d/x.sources", "keyrings/x.asc"])
@pytest.mark.parametrize("what", ["symlink", "directory"])
def test_nothing_is_written_through_what_stands_in_a_files_place(path: str, what: FileType) -> None:
    """A link to another file is an error, never followed and never replaced."""
    host = FakeDebian({}, {})
    host.files.put("/etc/apt/keyrings", Node("directory", 0o755, 0, 0))
    host.files.put(f"/etc/apt/{path}", Node(what, 0o777, 0, 0))
    spec: dict[str, Json] = {"name": "x", "uris": ["file:/x"], "suites": ["./"], "key": KEY}
    item = resource("apt-repository", "x", spec)
    outcome = apply_plan("op", "node", [item], Snapshot(), host, approved=None)
    assert outcome.result.resources[0].status == "failed"
    assert host.files.writes == []


def test_a_key_that_somebody_else_put_there_is_not_ours_to_remove() -> None:
    """A repository whose key file was there before is kept when it is no longer desired."""
    host = FakeDebian({}, {})
    host.files.put("/etc/apt/keyrings", Node("directory", 0o755, 0, 0))
    host.files.put("/etc/apt/keyrings/x.asc", Node("file", 0o644, 0, 0, KEY.encode()))
    spec: dict[str, Json] = {"name": "x", "uris": ["file:/x"], "suites": ["./"], "key": KEY}
    item = resource("apt-repository", "x", spec)
    outcome = apply_plan("op", "node", [item], Snapshot(), host, approved=None)
    apply_plan("op", "node", [], outcome.snapshot, host, approved=None)
    assert "/etc/apt/keyrings/x.asc" in host.files.nodes


def test_what_apt_would_take_for_a_pattern_is_spelt_out() -> None:
    """An unknown name with a dot would else install every package that it fits."""
    assert literal("python3.11") == r"^python3\.11$"
    assert literal("g++:i386") == r"^g\+\+$:i386"
    assert literal("nginx") == "nginx"


def test_a_status_file_full_of_lies_is_only_read() -> None:
    """Bytes that are no text, stanzas without names, missing words: no error, no package."""
    data = (
        b"Package: \xff\nStatus: install ok\n\n\n\nStatus: install ok installed\n\nPackage:\n\n:::"
    )
    index = dpkg_status.make_index(data)
    assert [dpkg_status.parse(stanza) for name in index for stanza in index[name]] == [None] * len(
        index
    )
    assert parse_policy("x:\n  Candidate: \n     \n *** \n  Candidate: (none)\n").versions == ()


@pytest.mark.parametrize("trusted", [True, False])
def test_a_plan_runs_pip_only_for_a_signed_module(trusted: bool) -> None:
    """Which program pip is the module says: an unsigned one could name a program of its own."""
    host = FakePorts()
    info = "/v/lib/python3.11/site-packages/x-1.dist-info"
    parts = info.split("/")
    for depth in range(2, len(parts) + 1):
        host.files.put("/".join(parts[:depth]), Node("directory", 0o755, 0, 0))
    host.files.put(f"{info}/METADATA", Node("file", 0o644, 0, 0))
    spec: dict[str, Json] = {"name": "x", "venv": "/v", "version": "latest"}
    item = resource("package-pip", "/v:x", spec, trusted=trusted)
    plan = make_plan("node", [item], Snapshot(), host)
    assert bool(host.programs.calls) == trusted
    assert plan.resources[0].action == ("error" if trusted else "unknown")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "not json",
        '{"install": [{}]}',
        '{"install": [{"metadata": {"version": "--index-url=x"}}]}',
    ],
)
def test_what_pip_answers_is_not_believed_blindly(answer: str) -> None:
    """An answer that is no report is an error of this item, not of the plan."""
    host = FakePorts()
    for path in ("/v", "/v/lib", "/v/lib/python3.11", "/v/lib/python3.11/site-packages"):
        host.files.put(path, Node("directory", 0o755, 0, 0))
    info = "/v/lib/python3.11/site-packages/x-1.dist-info"
    host.files.put(info, Node("directory", 0o755, 0, 0))
    host.files.put(f"{info}/METADATA", Node("file", 0o644, 0, 0))
    call = "/v/bin/python -I -m pip --no-input --disable-pip-version-check --no-color install"
    call += " --dry-run --upgrade --no-deps --quiet --report - -- x"
    spec: dict[str, Json] = {"name": "x", "venv": "/v", "version": "latest"}
    item = resource("package-pip", "/v:x", spec)
    host.programs.known[call] = lambda: CapturedStream(0, answer, "")
    assert make_plan("node", [item], Snapshot(), host).resources[0].action == "error"
