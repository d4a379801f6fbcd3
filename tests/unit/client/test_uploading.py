"""A module file: what is sent is what lies there, or nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.failures import BadUsageError
from client.uploading import module_name, read_module
from protocol import api
from protocol.limits import MAX_MODULE
from tests.fakes.api_server import FakeCoordinator, Reply, problem
from tests.fakes.operator import Person


@pytest.mark.parametrize("line", ["name: web", 'name: "web"', "name:   'web'  # it", "name: web\r"])
def test_the_name_is_read_as_people_write_it(line: str) -> None:
    assert module_name("f", f"# x\n  name: no\n{line}\nresources: []\n") == "web"


@pytest.mark.parametrize("text", ["", "  name: web", "names: web", "name:", "# name: web"])
def test_without_a_name_nothing_is_sent(text: str) -> None:
    with pytest.raises(BadUsageError, match="no line `name: NAME`"):
        module_name("f", text)


def test_a_file_that_cannot_be_a_module_says_why(tmp_path: Path) -> None:
    giant, binary = tmp_path / "giant", tmp_path / "binary"
    giant.write_bytes(b"x" * (MAX_MODULE + 1))
    binary.write_bytes(b"name: x\n\xff")
    for path, text in ((giant, "longer"), (binary, ":2: not UTF-8"), (tmp_path / "no", "cannot")):
        with pytest.raises(BadUsageError, match=text):
            read_module(str(path))


def test_the_coordinators_findings_name_the_file(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    path = tmp_path / "web.yaml"
    path.write_text("name: web\n")
    coordinator.on("POST", "/modules", problem(400, "module_invalid", "line 3: did you mean"))
    shown = lena.types(f"state upload {path}")
    assert shown.code == 1
    assert f"{path}: line 3: did you mean" in shown.err
    assert f"standfast-state validate {path}" in shown.err


def test_a_version_other_than_the_one_sent_is_refused(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    path = tmp_path / "web.yaml"
    path.write_text("name: web\n")
    coordinator.on("POST", "/modules", Reply(api.Module("web", 0, "lena", "f" * 64), 201))
    assert lena.types(f"state upload {path}").code == 3
