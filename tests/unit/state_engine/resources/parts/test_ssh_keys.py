"""Public keys and the lines of an authorized_keys file."""

from __future__ import annotations

import pytest

from state_engine.resources.parts import ssh_keys
from tests.fakes.keys import public_key

KNOWN = public_key(5)


def test_a_key_is_its_bytes_and_not_its_comment() -> None:
    """The fingerprint has the form that ssh-keygen prints."""
    found = ssh_keys.parse_key(f"{KNOWN}  anna at the desk ")
    assert not isinstance(found, str)
    key, comment = found
    assert comment == "anna at the desk"
    assert key.fingerprint.startswith("SHA256:")
    assert len(key.fingerprint) == len("SHA256:") + 43


@pytest.mark.parametrize(
    "text",
    [
        "", "ssh-ed25519", "ssh-ed25519 !!!!", f"restrict {KNOWN}", f"{KNOWN}\nssh-rsa AAAA",
        KNOWN.replace("ssh-ed25519", "ssh-rsa", 1), "ssh-dss AAAAB3NzaC1kc3MAAAAB",
        "-----BEGIN OPENSSH PRIVATE KEY-----", KNOWN[:40], f"{KNOWN} {'x' * 9000}",
    ],
)  # fmt: skip
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """The message says why, and quotes none of it but the type."""
    found = ssh_keys.parse_key(text)
    assert isinstance(found, str)
    assert "AAAA" not in found


def test_lines_are_read_as_sshd_reads_them() -> None:
    """Options may hold spaces, commas and quotes inside quotes."""
    line = f'  command="echo \\"a, b\\" #",no-pty,from="x y"\t{KNOWN} a comment \r\n'
    entry = ssh_keys.parse_line(line)
    assert entry is not None
    assert entry.options == ('command="echo \\"a, b\\" #"', "no-pty", 'from="x y"')
    assert entry.comment == "a comment"
    assert ssh_keys.parse_line(entry.line()) == entry
    for none in ("", "# x", f"#{KNOWN}", "no-pty", "no-pty key", f'command="{KNOWN}'):
        assert ssh_keys.parse_line(none) is None
    plain = ssh_keys.parse_line(public_key(1))
    assert plain is not None
    assert (plain.options, plain.comment) == ((), "")


@pytest.mark.parametrize(
    ("option", "good"),
    [
        ("restrict", True), ("no-X11-forwarding", True), ('from="10.0.0.0/8,::1"', True),
        ('command="/bin/sh -c \\"a\\""', True), ('command="a\\b"', True),
        ("restrict,pty", False), ("nonsense", False), ("command", False), ('pty="x"', False),
        ('command="a" ssh-rsa', False), ('command="a\\"', False), ('command="a"b"', False),
        ('command="a\n"', False), ("command=a", False), ("", False), ('command="ä"', False),
    ],
)  # fmt: skip
def test_an_option_is_one_that_sshd_knows(option: str, good: bool) -> None:
    """One that it does not know would make the whole line admit nobody."""
    assert (ssh_keys.option_problem(option) is None) == good


def test_a_comment_is_one_line() -> None:
    """Without spaces around it, which the file would not keep."""
    assert ssh_keys.comment_problem("anna at the desk") is None
    assert ssh_keys.comment_problem("") is None
    for comment in (" a", "a\nb", "a\tb", "x" * 2000):
        assert ssh_keys.comment_problem(comment) is not None
