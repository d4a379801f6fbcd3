"""Reading /etc/passwd and /etc/group."""

from __future__ import annotations

import pytest

from state_engine.ports import PortError
from state_engine.resources.parts import account_files
from tests.fakes.ports import FakePorts, Node
from tests.fakes.shadow import ShadowPorts


def test_only_complete_local_lines_name_an_account() -> None:
    """Entries of directory services, damaged lines and second lines of a name are passed over."""
    passwd = "+::::::\n-evil::0:0:::\n# x\nshort:x:1\nbad:x:one:1:::\napp:x:5:6:a, b:/h:/s\n"
    ports = ShadowPorts(passwd + "app:x:9:9:::\n:x:1:1:::\n", "app:x:6:bob,anna,\n+:::\nb:x:-1:\n")
    users = account_files.users("/", ports)
    assert set(users) == {"root", "app"}
    assert users["app"] == account_files.User("app", 5, 6, "a, b", "/h", "/s")
    groups = account_files.groups("/", ports)
    assert set(groups) == {"root", "app"}
    assert groups["app"].members == {"bob", "anna"}
    assert account_files.group_name(6, groups) == "app"
    assert account_files.group_name(7, groups) == "7"


def test_another_root_has_other_accounts() -> None:
    """The files are looked for below it."""
    ports = FakePorts()
    ports.files.put("/r/etc/passwd", Node("file", 0o644, 0, 0, b"x:x:1:1:::"))
    assert set(account_files.users("/r", ports)) == {"x"}
    assert account_files.under("/r/", "/etc") == "/r/etc"
    assert account_files.under("/", "/etc") == "/etc"
    with pytest.raises(PortError):
        account_files.users("/", ports)


def test_a_file_without_end_is_refused() -> None:
    """It is no file of accounts."""
    ports = ShadowPorts()
    data = b"x" * (account_files.MAX_BYTES + 1)
    ports.files.put("/etc/passwd", Node("file", 0o644, 0, 0, data))
    with pytest.raises(PortError, match="larger"):
        account_files.users("/", ports)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("app", True), ("_apt", True), ("a.b-c_1", True), ("host$", True), ("A" * 31, True),
        ("", False), ("-app", False), ("1app", False), ("a:b", False), ("a b", False),
        ("a\n", False), ("app,web", False), ("ä", False), ("a" * 33, False), ("a/b", False),
    ],
)  # fmt: skip
def test_names_are_what_the_account_tools_take(name: str, good: bool) -> None:
    """And never an option."""
    assert (account_files.check_name("name", name) == []) == good


def test_a_group_may_be_a_number_and_an_entry_holds_no_separator() -> None:
    """Numbers end before the one that means "no change"."""
    assert account_files.check_name_or_number("g", "0") == []
    assert account_files.check_name_or_number("g", str(2**32 - 1)) != []
    for text in ("a:b", "a\nb", "a\x7fb", "\ud800", "x" * 1025):
        assert account_files.check_entry("comment", text) != []
    assert account_files.check_entry("comment", "Ünal, of the desk") == []
    assert account_files.check_entry("comment", None) == []
