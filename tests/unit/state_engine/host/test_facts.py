"""What modules may ask of this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from state_engine.host.facts import attributes, parse_release


def host(root: Path, release: str, *directories: str) -> Path:
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text(release, encoding="utf-8")
    for directory in directories:
        (root / directory).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    ("release", "distro", "version"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "debian", "12"),
        ("ID='almalinux'\nVERSION_ID='9.4'\n", "alma", "9.4"),
        ("ID=arch\n", "arch", None),
        ("", None, None),
    ],
)
def test_distributions(
    tmp_path: Path, release: str, distro: str | None, version: str | None
) -> None:
    """In the spelling of the published format; what is not told is left out."""
    found = attributes(host(tmp_path, release), machine="x86_64")
    assert (found["platform"], found.get("distro"), found.get("version")) == (
        "linux", distro, version
    )  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "expected"), [("x86_64", "x86_64"), ("arm64", "aarch64"), ("armv7l", "armv7")]
)
def test_processors(tmp_path: Path, machine: str, expected: str) -> None:
    """As modules name them."""
    assert attributes(host(tmp_path, ""), machine=machine)["arch"] == expected


@pytest.mark.parametrize(
    ("directories", "expected"),
    [
        (("run/systemd/system",), "systemd"),
        (("run/openrc", "etc/init.d"), "openrc"),
        (("lib/systemd/systemd", "etc/init.d"), "systemd"),
        (("etc/init.d",), "init.d"),
        ((), None),
    ],
)
def test_init_systems(tmp_path: Path, directories: tuple[str, ...], expected: str | None) -> None:
    """The running one; if none runs, the installed one."""
    found = attributes(host(tmp_path, "", *directories), machine="x86_64")
    assert found.get("init_system") == expected


def test_a_release_file_is_parsed_and_not_run() -> None:
    """Quotes, comments, escapes and rubbish."""
    text = '# ID=no\nNAME="a \\"b\\""\n rubbish\nX=$(reboot)\nEMPTY=\n'
    assert parse_release(text) == {"NAME": 'a "b"', "X": "$(reboot)", "EMPTY": ""}


def test_this_host_has_facts() -> None:
    """Cheap and without an error, whatever it is."""
    found = attributes()
    assert found["platform"] == "linux"
    assert found["arch"]
