"""The checks of paths, modes and owners."""

from __future__ import annotations

import pytest

from state_engine.resources.parts.unix_paths import (
    check_account,
    check_alone,
    check_mode,
    check_path,
    mode_bits,
    mode_text,
)


@pytest.mark.parametrize("path", ["/a", "/etc/motd", "/a/.hidden", "/ü/…", "/" + "a" * 255])
def test_absolute_normalised_paths_pass(path: str) -> None:
    """What can be walked one way only is allowed."""
    assert check_path("path", path) == []


@pytest.mark.parametrize(
    "path",
    ["", "a", "./a", "/", "/a/", "//a", "/a//b", "/a/../b", "/.", "/a/.", "/a\0b", "/\ud800",
     "/" + "a" * 256, "/" + "ü" * 200, "/a" * 2048],
)  # fmt: skip
def test_other_paths_are_refused_with_a_reason(path: str) -> None:
    """Exactly one problem names the field."""
    [problem] = check_path("path", path)
    assert problem.field == "path"


@pytest.mark.parametrize("mode", ["644", "0644", "4755", "04755", "0000", None])
def test_octal_modes_pass(mode: str | None) -> None:
    """Three or four digits, with or without the leading zero."""
    assert check_mode(mode) == []


@pytest.mark.parametrize("mode", ["", "64", "0o644", "888", "rwxr-xr-x", "14755", "٠٦٤٤"])
def test_other_modes_are_refused(mode: str) -> None:
    """The hint says how a mode is written."""
    [problem] = check_mode(mode)
    assert problem.hint is not None


@pytest.mark.parametrize("name", ["root", "_apt", "www-data", "host$", "0", "4294967294", None])
def test_accounts_pass(name: str | None) -> None:
    """Names and numbers as text."""
    assert check_account("owner", name) == []


@pytest.mark.parametrize("name", ["", "a b", "-x", "4294967295", "a:b", "root\n"])
def test_other_accounts_are_refused(name: str) -> None:
    """Among them the number that means `leave it` to chown."""
    assert len(check_account("owner", name)) == 1


def test_modes_read_and_print() -> None:
    """Bits and text are each other's inverse."""
    assert (mode_bits("0644"), mode_bits("4755"), mode_bits(None)) == (0o644, 0o4755, None)
    assert (mode_text(0o644), mode_text(0o4755)) == ("0644", "4755")


def test_what_is_absent_stands_alone() -> None:
    """A field beside `ensure: absent` is a mistake; left out fields are none."""
    assert check_alone("absent", [None, None]) == check_alone("present", ["root"]) == []
    assert [problem.field for problem in check_alone("absent", [None, "root"])] == ["ensure"]
