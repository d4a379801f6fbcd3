"""The kind apt-repository."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.resources.apt_repository import AptRepository
from state_engine.resources.contract import (
    Context,
    Difference,
    MakeDirectory,
    RemoveFile,
    RunScript,
    Step,
    Undo,
    WriteFile,
)
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

KIND = AptRepository()
SOURCES = "/etc/apt/sources.list.d/x.sources"
KEY_PATH = "/etc/apt/keyrings/x.asc"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----\n"
SPEC: dict[str, Json] = {
    "name": "x",
    "uris": ["https://a.example/debian", "https://b.example/debian"],
    "suites": ["stable", "stable-security"],
    "components": ["main", "contrib"],
    "architectures": ["amd64"],
    "key": KEY,
}
TEXT = """\
Types: deb
URIs: https://a.example/debian https://b.example/debian
Suites: stable stable-security
Components: main contrib
Architectures: amd64
Signed-By: /etc/apt/keyrings/x.asc
"""
APPLIED = Context(applied=True)


def host(**files: str) -> FakePorts:
    ports = FakePorts()
    for path in ("/etc", "/etc/apt", "/etc/apt/sources.list.d", "/etc/apt/keyrings"):
        ports.files.put(path, Node("directory", 0o755, 0, 0))
    for path, text in ((SOURCES, files.get("sources")), (KEY_PATH, files.get("key"))):
        if text is not None:
            ports.files.put(path, Node("file", 0o644, 0, 0, text.encode()))
    return ports


def compare(ports: FakePorts, context: Context = APPLIED, **fields: Json) -> Difference:
    spec = {**SPEC, **fields}
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), context)


def touched(steps: tuple[Step, ...]) -> list[str]:
    """Return what steps do, in short."""
    return [
        step.call.argv[-1] if isinstance(step, RunScript) else getattr(step, "path", "?")
        for step in steps
    ]


def undo(ports: FakePorts, *, created: bool) -> Undo:
    applied = AppliedResource(resource("apt-repository", "x", SPEC), created=created)
    return KIND.undo(SPEC, KIND.observe(SPEC, ports, verify=False), applied)


def test_a_new_repository_is_two_files_and_a_fetch() -> None:
    """The directory for keys too, where an older apt has not brought it."""
    ports = host()
    del ports.files.nodes["/etc/apt/keyrings"]
    difference = compare(ports)
    assert difference.action == "create"
    make, sources, key, _ = difference.steps
    assert make == MakeDirectory("/etc/apt/keyrings", 0o755)
    assert sources == WriteFile(SOURCES, TEXT.encode(), 0o644)
    assert key == WriteFile(KEY_PATH, KEY.encode(), 0o644)
    assert touched(difference.steps)[-1] == "update"


def test_only_the_file_that_differs_is_written() -> None:
    assert touched(compare(host(sources=TEXT, key="old")).steps) == [KEY_PATH, "update"]
    assert touched(compare(host(sources="old", key=KEY)).steps) == [SOURCES, "update"]
    assert compare(host(sources=TEXT, key=KEY)).action == "none"


def test_a_file_that_apt_cannot_read_is_written_again() -> None:
    """Signatures are checked by apt as a user of its own."""
    ports = host(sources=TEXT, key=KEY)
    ports.files.nodes[KEY_PATH].mode = 0o600
    difference = compare(ports)
    assert [change.field for change in difference.changes] == ["key readable by apt"]
    assert touched(difference.steps) == [KEY_PATH, "update"]


@pytest.mark.parametrize(
    ("context", "action"),
    [(Context(), "run"), (Context(applied=True), "none"), (Context(acted=True), "none")],
)
def test_the_index_is_fetched_until_that_has_succeeded_once(context: Context, action: str) -> None:
    difference = compare(host(sources=TEXT, key=KEY), context)
    assert difference.action == action
    assert touched(difference.steps) == (["update"] if action == "run" else [])


@pytest.mark.parametrize(
    ("files", "action"),
    [({}, "create"), ({"key": KEY}, "update"), ({"sources": "old"}, "update")],
)
def test_created_means_that_nothing_was_there(files: dict[str, str], action: str) -> None:
    """What was there before is not ours to remove later."""
    assert compare(host(**files)).action == action


def test_a_repository_that_we_created_is_taken_out_again() -> None:
    """Copies are kept; what was there before us stays."""
    ports = host(sources="edited", key=KEY)
    expected = (RemoveFile(SOURCES, backup=True), RemoveFile(KEY_PATH, backup=True))
    assert undo(ports, created=True).steps == expected
    assert undo(ports, created=False).steps == ()
    assert undo(host(), created=True).message == "already gone"


def test_an_absent_repository_has_no_files() -> None:
    assert compare(host(), ensure="absent").action == "none"
    difference = compare(host(key=KEY), ensure="absent")
    assert (difference.action, touched(difference.steps)) == ("update", [KEY_PATH])
    assert KIND.validate({"name": "x", "ensure": "absent"}) == []


def test_a_keyring_that_is_there_is_named() -> None:
    """No file of ours is looked at for it."""
    fields: dict[str, Json] = {"key": None, "signed_by": "/usr/share/keyrings/k.gpg"}
    (write, _) = compare(host(key="somebody's"), APPLIED, **fields).steps
    assert isinstance(write, WriteFile)
    assert write.content.endswith(b"Signed-By: /usr/share/keyrings/k.gpg\n")


def test_a_changed_source_list_is_shown_line_by_line_and_a_key_is_not() -> None:
    changes = compare(host(sources=TEXT.replace("main ", ""), key="old")).changes
    assert [change.field for change in changes] == ["sources", "key"]
    assert "+Components: main contrib" in changes[0].diff
    assert changes[1].diff == ()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"uris": None}, "uris"),
        ({"suites": None}, "suites"),
        ({"components": None}, "components"),
        ({"suites": ["./"]}, "components"),
        ({"suites": ["./", "stable"]}, "suites"),
        ({"signed_by": "/k"}, "signed_by"),
        ({"key": "text"}, "key"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(fields: dict[str, Json], problem: str) -> None:
    assert KIND.validate(SPEC) == []
    assert [found.field for found in KIND.validate({**SPEC, **fields})] == [problem]


def test_both_files_are_watched() -> None:
    assert KIND.watches(SPEC) == (SOURCES, KEY_PATH)
