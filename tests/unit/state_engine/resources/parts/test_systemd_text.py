"""The text of unit files."""

from __future__ import annotations

import pytest

from state_engine.resources.parts import systemd_text as text


@pytest.mark.parametrize("name", ["web", "ssh", "getty@tty1", "a.b", r"dev-disk\x2d1", "A_b:c-d"])
def test_a_unit_name_is_taken(name: str) -> None:
    assert text.check_name("name", name, ".service") == []


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--now", "a b", "a/b", "a\nb", "é", "a*", "web.service", "web@", "@x", "x" * 250],
)
def test_what_is_no_unit_name_is_refused(name: str) -> None:
    """No option, no path, no pattern, no template, no suffix, nothing too long."""
    assert len(text.check_name("name", name, ".service")) == 1


def test_a_dependency_may_carry_any_suffix() -> None:
    assert text.check_unit("d", "network-online.target") == []
    assert text.check_unit("d", "db") == []
    assert text.check_unit("d", "a b.target") != []


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\0", "\x1b[0m", "\x7f", "\x85", "\ud800"])
def test_control_characters_are_refused(value: str) -> None:
    """Each could end the line, or mean something else to systemd than to a reader."""
    assert text.check_value("f", value, "it") != []


@pytest.mark.parametrize("value", [" a", "a ", "a\\", "\\"])
def test_a_bare_value_keeps_its_ends(value: str) -> None:
    """White space would be lost; a last backslash would join the next line."""
    assert text.check_bare("f", value, "it") != []
    assert text.check_value("f", value, "it") == []


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("/usr/bin/x", "/usr/bin/x"),
        ("a=b", "a=b"),
        ("", '""'),
        ("a b", '"a b"'),
        ("$x", '"$$x"'),
        ("50%", '"50%%"'),
        ('"', '"\\""'),
        ("\\n", '"\\\\n"'),
        (";", '";"'),
        ("'", '"\'"'),
    ],
)
def test_an_argument_means_itself(value: str, written: str) -> None:
    assert text.argument(value) == written


def test_an_assignment_leaves_dollars_alone() -> None:
    """`Environment=` expands no variables, so a doubled dollar would be two."""
    assert text.assignment("A", '$x 5% "q"') == '"A=$x 5%% \\"q\\""'


def test_parsing_reads_as_systemd_does() -> None:
    """Comments, joined lines, lists that an empty value empties, white space around `=`."""
    found = text.parse(
        "# c\n[Unit]\nAfter=a\nAfter = b\n;c\n[Service]\nExecStart=/bin/x \\\n# inside\n  -y\n"
        "Environment=A=1\nEnvironment=\nEnvironment=B=2\nno section\n[Install]\n"
    )
    assert found["Unit", "After"] == ("a", "b")
    assert found["Service", "ExecStart"] == ("/bin/x    -y",)
    assert found["Service", "Environment"] == ("B=2",)


def test_a_variable_has_a_plain_name() -> None:
    assert text.check_variable("e", "PATH_2") == []
    for name in ("", "2A", "A-B", "A=B", "A\n"):
        assert text.check_variable("e", name) != []
