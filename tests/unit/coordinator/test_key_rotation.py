"""The coordinator's key is replaced by one that the old one named, whatever happens in between."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator import identity, key_rotation
from coordinator.identity import IdentityError
from protocol import handshake
from protocol.handshake import MAX_ROTATIONS
from protocol.keys import SigningKey

NOW = 1_790_000_000.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    identity.prepare_directory(made)
    identity.create_key(made)
    return made


def followed(directory: Path, pinned: SigningKey) -> bytes:
    return handshake.follow_rotations(pinned.public, key_rotation.statements(directory))


def test_who_pinned_any_older_key_is_led_to_the_new_one(directory: Path) -> None:
    """Three changes; each key on the way leads to the last, and only the last is on the disk."""
    keys = [identity.load_key(directory)]
    keys += [key_rotation.rotate(directory, NOW + turn) for turn in range(3)]
    assert identity.load_key(directory).public == keys[-1].public
    assert {followed(directory, key) for key in keys} == {keys[-1].public}
    assert len({key.public for key in keys}) == 4
    seeds = [key.seed().hex().encode() for key in keys[:-1]]
    for path in directory.iterdir():
        assert not any(seed in path.read_bytes() for seed in seeds), path
        assert path.stat().st_mode & 0o077 == 0


def test_a_stranger_is_led_nowhere(directory: Path) -> None:
    key_rotation.rotate(directory, NOW)
    stranger = SigningKey.generate()
    assert followed(directory, stranger) == stranger.public


def test_there_is_an_end_of_changes(directory: Path) -> None:
    """Hosts follow so many statements and no more: the next change would lose them."""
    for turn in range(MAX_ROTATIONS):
        key_rotation.rotate(directory, NOW + turn)
    held = identity.load_key(directory).public
    with pytest.raises(IdentityError, match="enrol the hosts there"):
        key_rotation.rotate(directory, NOW)
    assert identity.load_key(directory).public == held


ROTATE = """
import sys
from pathlib import Path
from coordinator import key_rotation
key_rotation.rotate(Path(sys.argv[1]), 1_790_000_000.0)
"""
# Each system call by which the disk changes for good, with the turns that one rotation takes.
MOMENTS = [("fsync", turn) for turn in range(1, 6)] + [("rename", turn) for turn in (1, 2)]


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize(("call", "turn"), MOMENTS)
def test_a_change_that_is_killed_is_whole_or_not_at_all(
    directory: Path, call: str, turn: int
) -> None:
    """After the next start the key on the disk is one that the pinned one leads to."""
    first = identity.load_key(directory)
    inject = f"--inject={call}:signal=SIGKILL:when={turn}"
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", f"--trace={call}", inject]
    done = subprocess.run([*argv, sys.executable, "-c", ROTATE, str(directory)], check=False)
    assert done.returncode == -signal.SIGKILL
    key_rotation.complete(directory)
    held = identity.load_key(directory)
    assert followed(directory, first) == held.public
    assert (held.public == first.public) == (not key_rotation.statements(directory))
    assert not (directory / key_rotation.NEXT_FILE).exists()
    key_rotation.rotate(directory, NOW + 1)
    assert followed(directory, first) == identity.load_key(directory).public


def test_damaged_statements_are_an_error_that_names_the_file(directory: Path) -> None:
    (directory / key_rotation.ROTATIONS_FILE).write_text("[1]", encoding="utf-8")
    with pytest.raises(IdentityError, match=r"rotations\.json is damaged"):
        key_rotation.statements(directory)
