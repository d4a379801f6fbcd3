"""Where archives come from."""

from __future__ import annotations

import pytest

from state_engine.ports import PortError
from state_engine.resources.parts.archive_source import archive_bytes, archive_digest
from tests.fakes.archives import sha
from tests.fakes.ports import FakePorts, Node


def test_a_file_of_the_host_is_taken_by_what_it_holds() -> None:
    """Its digest is read, and is held against the one that the module names."""
    ports = FakePorts()
    ports.files.put("/a", Node("file", 0o644, 0, 0, b"data"))
    assert archive_digest("/a", None, ports) == sha(b"data")
    assert archive_bytes("/a", sha(b"data"), ports) == b"data"
    with pytest.raises(PortError, match="not the archive"):
        archive_digest("/a", sha(b"other"), ports)
    with pytest.raises(PortError, match="changed meanwhile"):
        archive_bytes("/a", sha(b"other"), ports)


def test_an_address_is_taken_by_its_digest() -> None:
    """Nothing is fetched to know it."""
    assert archive_digest("https://x/a", "d" * 64, FakePorts()) == "d" * 64
