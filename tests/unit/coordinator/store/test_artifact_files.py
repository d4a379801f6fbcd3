from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from coordinator.store.artifact_files import ArtifactFiles, DirectoryFiles, MemoryFiles

NAME = "ab" + "0" * 62


@pytest.fixture(params=["memory", "directory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactFiles:
    return MemoryFiles() if request.param == "memory" else DirectoryFiles(tmp_path / "artifacts")


def test_what_was_put_is_got(files: ArtifactFiles) -> None:
    """Putting it again does nothing; what was never put is None."""
    files.put(NAME, b"data")
    files.put(NAME, b"data")
    assert files.get(NAME) == b"data"
    assert files.get("cd" + NAME[2:]) is None


def test_what_comes_piece_by_piece_is_the_same_in_the_end(files: ArtifactFiles) -> None:
    """Kept under its digest, read in parts; what was dropped has never been."""
    incoming, other = files.begin(), files.begin()
    for piece in (b"da", b"ta"):
        incoming.add(piece)
        other.add(b"no")
    other.drop()
    digest = incoming.finish()
    assert (digest, incoming.size) == (hashlib.sha256(b"data").hexdigest(), 4)
    assert files.get(digest) is None
    incoming.keep(digest)
    incoming.drop()
    assert files.get(digest) == b"data"
    assert [files.part(digest, at, 2) for at in (0, 1, 3, 4)] == [b"da", b"at", b"a", b""]
    assert files.part("cd" + NAME[2:], 0, 1) is None


def test_an_upload_that_a_crash_cut_off_is_swept_away_at_the_next_start(tmp_path: Path) -> None:
    """It is in nobody's count, so it must not lie there for ever."""
    incoming = DirectoryFiles(tmp_path).begin()
    incoming.add(b"half")
    (left,) = (tmp_path / "incoming").iterdir()
    DirectoryFiles(tmp_path)
    assert not left.exists()
    incoming.drop()


def test_files_are_the_owners_alone_and_leave_no_parts(tmp_path: Path) -> None:
    """A finished file has its own name only, and nobody else may read it."""
    DirectoryFiles(tmp_path).put(NAME, b"data")
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert path == tmp_path / "ab" / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_part_of_an_earlier_crash_is_overwritten(tmp_path: Path) -> None:
    """Half a file never counts as the artifact."""
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / NAME).with_suffix(".part").write_bytes(b"half")
    files = DirectoryFiles(tmp_path)
    assert files.get(NAME) is None
    files.put(NAME, b"whole")
    assert files.get(NAME) == b"whole"


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The caller hears it, so that nothing names a file that is not there."""
    (tmp_path / "ab").write_bytes(b"in the way")
    with pytest.raises(OSError, match="ab"):
        DirectoryFiles(tmp_path).put(NAME, b"data")
