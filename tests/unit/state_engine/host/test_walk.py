"""Walking by handles; the attacks are in the hostile tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from state_engine.host import walk
from state_engine.ports import PortError


def open_handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_parent_is_held_open_and_closed_again(tmp_path: Path) -> None:
    """Also through a link, also after an error; no handle is left."""
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("d")
    before = open_handles()
    with walk.parent_of(str(tmp_path / "l" / "f")) as (handle, name):
        assert name == "f"
        assert os.path.samestat(os.fstat(handle), (tmp_path / "d").stat())
        walk.sync_directory(handle)
    for path in ("missing/f", "l/missing/deeper/f"):
        with pytest.raises(PortError), walk.parent_of(str(tmp_path / path)):
            pass
    assert open_handles() == before


@pytest.mark.parametrize(("path", "code"), [("missing/f", "ENOENT"), ("file/f", "ENOTDIR")])
def test_a_way_that_does_not_exist_has_its_code(tmp_path: Path, path: str, code: str) -> None:
    """So that looking can tell absence from refusal."""
    (tmp_path / "file").touch()
    with pytest.raises(PortError) as caught, walk.parent_of(str(tmp_path / path)):
        pass
    assert caught.value.code == code


def test_a_directory_is_trusted_only_if_others_cannot_write_to_it(tmp_path: Path) -> None:
    """Group and other write bits count, sticky or not."""
    for mode, expected in ((0o755, True), (0o700, True), (0o775, False), (0o1777, False)):
        tmp_path.chmod(mode)
        with walk.place_of(str(tmp_path / "f")) as place:
            assert place.trusted is expected


def test_a_path_splits_into_way_and_name() -> None:
    """And only a normalised one does."""
    assert walk.split("/a/b/c") == (["a", "b"], "c")
    with pytest.raises(PortError):
        walk.split("a/b")


def test_a_refusal_says_what_was_done_to_what() -> None:
    """With the name of the error number."""
    error = walk.refusal(PermissionError(13, "Permission denied"), "write", "/f")
    assert (str(error), error.code) == ("cannot write /f: Permission denied", "EACCES")
