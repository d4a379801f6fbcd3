"""Reading and editing fstab."""

from __future__ import annotations

import pytest

from state_engine.engine.steps import Outcome, carry_out
from state_engine.resources.contract import EditFile
from state_engine.resources.parts import fstab
from state_engine.resources.parts.fstab import Entry
from tests.fakes.ports import Node
from tests.fakes.storage import StoragePorts

PATH = "/etc/fstab"
OURS = Entry("tmpfs", "/srv/a b", "tmpfs", ("nodev", "size=1m"), 0, 0)


def of_ours(entry: Entry) -> bool:
    return entry.target == OURS.target


def with_fstab(text: bytes) -> StoragePorts:
    ports = StoragePorts()
    ports.files.put(PATH, Node("file", 0o664, 0, 0, text))
    return ports


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("", None),
        ("# x /y ext4", None),
        ("   # x /y ext4", None),
        ("/dev/sda1 /", None),
        ("/dev/sda1 / ext4", Entry("/dev/sda1", "/", "ext4", ())),
        ("a /b\\040c ext4 ro,nodev 1 2", Entry("a", "/b c", "ext4", ("ro", "nodev"), 1, 2)),
        ("\\043a /b\\134 none bind 0 x", Entry("#a", "/b\\", "none", ("bind",), 0, 0)),
    ],
)
def test_a_line_is_read_as_mount_reads_it(line: str, entry: Entry | None) -> None:
    assert fstab.parse(line) == entry


def test_an_edit_leaves_every_other_byte() -> None:
    """Endings, comments, broken lines, bytes that are no text; a second line for it goes."""
    text = b"# \xff theirs\r\nx /y ext4\r\na /srv/a\\040b ext4\r\nhalf\r\nb /srv/a\\040b ext4"
    ports = with_fstab(text)
    steps = fstab.edit(fstab.read(ports, PATH), of_ours, OURS)
    carry_out(steps, ports, Outcome())
    line = OURS.line.encode()
    assert ports.files.nodes[PATH].content == (
        b"# \xff theirs\r\nx /y ext4\r\n" + line + b"\r\nhalf\r\n"
    )
    assert ports.files.nodes[PATH].mode == 0o664
    assert fstab.edit(fstab.read(ports, PATH), of_ours, OURS) == ()
    carry_out(fstab.edit(fstab.read(ports, PATH), of_ours, None), ports, Outcome())
    assert ports.files.nodes[PATH].content == b"# \xff theirs\r\nx /y ext4\r\nhalf\r\n"


def test_a_line_is_added_after_one_without_an_end() -> None:
    ports = with_fstab(b"x /y ext4")
    carry_out(fstab.edit(fstab.read(ports, PATH), of_ours, OURS), ports, Outcome())
    assert ports.files.nodes[PATH].content.decode() == f"x /y ext4\n{OURS.line}\n"


def test_a_missing_table_is_made_for_everybody_to_read() -> None:
    (step,) = fstab.edit(fstab.read(StoragePorts(), PATH), of_ours, OURS)
    assert isinstance(step, EditFile)
    assert (step.expected, step.mode) == (None, 0o644)


def test_a_link_in_its_place_is_a_problem() -> None:
    ports = StoragePorts()
    ports.files.put(PATH, Node("symlink", 0o777, 0, 0, b"/etc/passwd"))
    assert "symlink" in (fstab.read(ports, PATH).problem or "")


@pytest.mark.parametrize(
    "option", ["", "a b", "a,b", "a\n", "ä", "remount", "move", "-o", "x" * 1025, "a\0"]
)
def test_what_is_not_one_option_is_refused(option: str) -> None:
    assert fstab.check_options([option])


def test_options_with_values_are_taken() -> None:
    assert (
        fstab.check_options(["rw", "uid=7", "x-systemd.requires=a.mount", "context=s:o_r:t"]) == []
    )
