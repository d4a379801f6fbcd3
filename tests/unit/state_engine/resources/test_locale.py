"""The kind locale; locale-gen itself is in tests/integration."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context, Difference, EditFile, RunScript
from state_engine.resources.locale import Locale
from tests.fakes.ports import FakePorts, Node

KIND = Locale()
FOLDERS = (
    "/etc", "/etc/default", "/usr", "/usr/sbin", "/usr/share", "/usr/share/i18n", "/usr/lib",
    "/usr/lib/locale",
)  # fmt: skip


def host(*, debian: bool = True) -> FakePorts:
    ports = FakePorts()
    for folder in FOLDERS:
        ports.files.put(folder, Node("directory", 0o755, 0, 0))
    if debian:
        put(ports, "/usr/sbin/locale-gen", "")
        put(ports, "/etc/debian_version", "12.0\n")
        put(ports, "/etc/locale.gen", "# de_DE.UTF-8 UTF-8\n")
        put(ports, "/usr/share/i18n/SUPPORTED", "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\n")
    return ports


def put(ports: FakePorts, path: str, text: str) -> None:
    ports.files.put(path, Node("file", 0o644, 0, 0, text.encode()))


def compared(ports: FakePorts, **spec: Json) -> Difference:
    assert KIND.validate(spec) == []
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


@pytest.mark.parametrize(
    "name", ["", "-f", "de_DE.UTF-8 UTF-8", "de_DE\n", "../x", "a/b", "de_DE.UTF-8#", "ä"]
)
def test_what_is_no_locale_is_refused(name: str) -> None:
    assert KIND.validate({"name": name})


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "C.UTF-8", "ensure": "absent"},
        {"name": "de_DE", "charset": "a b"},
        {"name": "de_DE", "charset": "-x"},
        {"name": "de_DE", "ensure": "absent", "default_for": ["LANG"]},
    ],
)
def test_what_makes_no_sense_is_refused(spec: dict[str, Json]) -> None:
    assert KIND.validate(spec)


def test_the_list_comes_before_the_generating() -> None:
    edit, generate = compared(host(), name="de_DE.UTF-8").steps
    assert isinstance(edit, EditFile)
    assert edit.content == b"de_DE.UTF-8 UTF-8\n"
    assert isinstance(generate, RunScript)
    assert generate.call.argv == ("locale-gen", "--keep-existing")


def test_without_locale_gen_there_is_localedef() -> None:
    difference = compared(host(debian=False), name="sr_RS.UTF-8@latin", default_for=["LANG"])
    generate, edit = difference.steps
    assert isinstance(generate, RunScript)
    assert generate.call.argv == (
        "localedef", "--inputfile=sr_RS@latin", "--charmap=UTF-8", "sr_RS.UTF-8@latin",
    )  # fmt: skip
    assert isinstance(edit, EditFile)
    assert edit.path == "/etc/locale.conf"


def test_an_unknown_locale_is_told_in_the_plan() -> None:
    assert "knows no locale" in (compared(host(), name="xx_XX.UTF-8").message or "")
    assert compared(host(), name="xx_XX.UTF-8", charset="UTF-8").action == "create"


def test_what_is_in_the_library_need_only_be_the_default() -> None:
    ports = host()
    put(ports, "/etc/default/locale", "LANG=de_DE.UTF-8\n")
    difference = compared(ports, name="C.UTF-8", default_for=["LANG"])
    assert (difference.action, [each.field for each in difference.changes]) == ("update", ["LANG"])


def test_debians_link_to_the_common_file_is_followed_by_name() -> None:
    ports = host()
    ports.files.put("/etc/default/locale", Node("symlink", 0o777, 0, 0, b"../locale.conf"))
    (edit,) = compared(ports, name="C.UTF-8", default_for=["LANG"]).steps
    assert isinstance(edit, EditFile)
    assert edit.path == "/etc/locale.conf"
    ports.files.put("/etc/default/locale", Node("symlink", 0o777, 0, 0, b"/etc/passwd"))
    assert compared(ports, name="C.UTF-8", default_for=["LANG"]).action == "error"


def test_a_locale_of_a_package_is_left_to_it() -> None:
    ports = host()
    ports.files.put("/usr/lib/locale/de_DE.utf8", Node("directory", 0o755, 0, 0))
    assert compared(ports, name="de_DE.UTF-8").action == "none"
    assert compared(ports, name="de_DE.UTF-8", ensure="absent").action == "error"
