"""The environment is filled when the lock changed, and never half."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from devtools import bootstrap


def test_an_unreadable_stamp_means_nothing_is_installed(tmp_path: Path) -> None:
    """A missing, broken or foreign stamp leads to an installation, not to an error."""
    stamp = tmp_path / "stamp"
    assert bootstrap.installed_locks(stamp) == {}
    stamp.write_bytes(b"\xff\xfe not text")
    assert bootstrap.installed_locks(stamp) == {}
    stamp.write_text("one two three\n\nrequirements.lock abc\n")
    assert bootstrap.installed_locks(stamp) == {"requirements.lock": "abc"}


def test_a_changed_lock_is_not_current(tmp_path: Path) -> None:
    """The environment is current only for the very bytes that it was filled from."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    digest = bootstrap.lock_digest(lock.name, tmp_path)
    assert bootstrap.is_current(lock.name, digest, {lock.name: digest})
    lock.write_text("a==2\n")
    changed = bootstrap.lock_digest(lock.name, tmp_path)
    assert not bootstrap.is_current(lock.name, changed, {lock.name: digest})
    assert not bootstrap.is_current(lock.name, digest, {})


def test_an_environment_without_a_working_python_is_seen(tmp_path: Path) -> None:
    """A launcher whose Python was removed counts as no environment."""
    assert bootstrap.works(Path(sys.executable))
    assert not bootstrap.works(tmp_path / "python")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    assert not bootstrap.works(broken)


def test_launchers_run_the_checkout(tmp_path: Path) -> None:
    """A console script of pyproject.toml runs the function that it names."""
    (tmp_path / "pyproject.toml").write_text('[project.scripts]\nhello = "hello:main"\n')
    (tmp_path / "hello.py").write_text("def main():\n    print('hello')\n    return 7\n")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "python").symlink_to(sys.executable)
    assert bootstrap.write_launchers(tmp_path, binaries) == ["hello"]
    done = subprocess.run([binaries / "hello"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "hello\n")


def test_a_failed_program_says_what_it_was_for() -> None:
    """The message names what was being done, the program and its status."""
    with pytest.raises(bootstrap.BootstrapError, match=r"^making tea: .*status 3$"):
        bootstrap.run([sys.executable, "-c", "raise SystemExit(3)"], doing="making tea")
    with pytest.raises(bootstrap.BootstrapError, match=r"^making tea: .*no-such-program"):
        bootstrap.run(["no-such-program"], doing="making tea")


def test_an_unknown_lock_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made for a lock file that is none of ours."""
    assert bootstrap.main(["other.lock"]) == 2
    assert "usage" in capsys.readouterr().out
