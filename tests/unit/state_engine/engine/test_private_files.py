"""Which files are private, and what stands for their digests."""

from __future__ import annotations

import msgspec
import pytest

from protocol.reports import Change
from state_engine.engine import private_files
from state_engine.model import AppliedResource
from state_engine.resources.registry import KINDS
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file

KIND = KINDS["file-unix"]


@pytest.mark.parametrize(
    ("mode", "kind", "expected"),
    [
        (0o600, "file", True),
        (0o640, "file", True),
        (0o604, "file", False),
        (0o700, "directory", False),
        (None, "file", False),
    ],
)
def test_a_file_is_private_unless_every_user_may_read_it(
    mode: int | None, kind: str, *, expected: bool
) -> None:
    """What is not there, or is no file, has no content."""
    ports = FakePorts()
    ports.files.put("/etc", Node("directory", 0o755, 0, 0))
    if mode is not None:
        ports.files.put("/etc/x", Node("file" if kind == "file" else "directory", mode, 0, 0))
    assert private_files.touches_private(KIND, {"path": "/etc/x"}, ports) is expected


def test_a_copy_is_private_as_its_file_was() -> None:
    """Of one whose mode is not known nobody says that all may read it."""
    applied = AppliedResource(a_file("/x"), created=False)
    assert not private_files.covered_private(applied)
    for mode, expected in ((0o600, True), (0o644, False), (None, True)):
        kept = msgspec.structs.replace(applied, pre_image="ab" * 32, pre_mode=mode)
        assert private_files.covered_private(kept) is expected


def test_only_digests_are_marked() -> None:
    """A mode and a word stay; what the module says stays where it is the module's."""
    ports = FakePorts()
    changes = (Change("mode", "0600", "0644"), Change("content", "sha256:a", "sha256:b"))
    mode, content = private_files.without_digests(changes, ports)
    assert mode == changes[0]
    assert (content.current or "").startswith("hmac:")
    assert content.desired == "sha256:b"
    mode, content = private_files.without_any_digests(changes, ports)
    assert mode == changes[0]
    assert (content.desired or "").startswith("hmac:")
    assert content.current != content.desired
