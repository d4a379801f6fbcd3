"""Reading and bringing the file that is uploaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from client import artifacts_api
from client.failures import BadUsageError
from protocol.limits import MAX_ARTIFACT


def test_a_file_is_read_whole_and_no_further_than_an_artifact_goes(tmp_path: Path) -> None:
    """A hole costs nothing, and is refused all the same."""
    path = tmp_path / "tool"
    path.write_bytes(b"\x00\xff")
    assert artifacts_api.read_file(str(path)) == b"\x00\xff"
    with path.open("r+b") as file:
        file.truncate(MAX_ARTIFACT + 1)
    with pytest.raises(BadUsageError, match=str(MAX_ARTIFACT)):
        artifacts_api.read_file(str(path))
    with pytest.raises(BadUsageError, match="cannot read"):
        artifacts_api.read_file(str(tmp_path))
