"""The kind ini-setting."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.ini_setting import IniSetting

KIND = IniSetting()


def setting(**fields: Json) -> dict[str, Json]:
    return {"path": "/f", "section": "a", "key": "k", "value": "1", **fields}


@pytest.mark.parametrize(
    ("fields", "before", "after"),
    [
        ({}, "", "[a]\nk = 1\n"),
        ({}, "[b]\nx=2", "[b]\nx=2\n\n[a]\nk=1\n"),
        ({}, "[a]\n; note\nk  =  2\n#k = 3\n", "[a]\n; note\nk  =  1\n#k = 3\n"),
        ({}, "[a]\nk:2\n", "[a]\nk:1\n"),
        ({}, "[a]\nk =\n", "[a]\nk = 1\n"),
        ({}, "[a]\nk\n", "[a]\nk = 1\n"),
        ({}, "[a]\nkk = 2\n", "[a]\nkk = 2\nk = 1\n"),
        ({}, "[a]\nx=1\n\n# about b\n[b]\nk=2\n", "[a]\nx=1\nk=1\n\n# about b\n[b]\nk=2\n"),
        ({}, "[ a ] # note\n\tx = 1\n", "[ a ] # note\n\tx = 1\n\tk = 1\n"),
        ({}, "[a]\nx = 1\n    2\n[b]\n", "[a]\nx = 1\n    2\nk = 1\n[b]\n"),
        ({}, "[a]\nk=2\n[b]\n[a]\nk=3\n", "[a]\n[b]\n[a]\nk=1\n"),
        ({}, "[a]\r\nk=2", "[a]\r\nk=1"),
        ({}, "\ufeff[a]\nk=2\n", "\ufeff[a]\nk=1\n"),
        ({"section": None}, "x=2\n[a]\nk=2\n", "x=2\nk=1\n[a]\nk=2\n"),
        ({"section": None}, "# note\n", "# note\nk = 1\n"),
        ({"section": None}, "# about a\n[a]\n", "k = 1\n# about a\n[a]\n"),
        ({"value": "{0} %s"}, "[a]\n", "[a]\nk = {0} %s\n"),
        ({"ensure": "absent"}, "[a]\nk=1\nk = 2\nx=3\n[b]\nk=1\n", "[a]\nx=3\n[b]\nk=1\n"),
        ({"ensure": "absent", "value": None}, "[b]\n", "[b]\n"),
        ({}, "[a]\n# BEGIN m\nx=1\n\n# END m\n", "[a]\n# BEGIN m\nx=1\n\n# END m\nk=1\n"),
    ],
)
def test_the_setting_is_put_in_or_taken_out(
    fields: dict[str, Json], before: str, after: str
) -> None:
    """Order, comments, other sections and the way that `=` is written stay."""
    assert KIND.judge(setting(**fields), before.encode()).edited == after.encode()


@pytest.mark.parametrize(
    "content", ["[a]\nk = 2 \\\n3\n", "[a]\nk = 2\n  3\n", "[a]\n k =\n\t\t3\n"]
)
def test_a_value_of_several_lines_is_a_problem(content: str) -> None:
    """Half of it would be left behind."""
    verdict = KIND.judge(setting(), content.encode())
    assert "several lines" in (verdict.problem or "")
    assert KIND.taken_out(setting(value="2"), content.encode()) == content.encode()


def test_only_our_own_value_is_taken_out() -> None:
    """The section's header stays: it may be somebody else's."""
    assert KIND.taken_out(setting(), b"[a]\nk=1\nx=2\n") == b"[a]\nx=2\n"
    assert KIND.taken_out(setting(), b"[a]\nk=2\n") == b"[a]\nk=2\n"


def test_each_bad_field_is_named() -> None:
    """What would be read back as something else is refused."""
    spec = setting(path="f", key="#k", section="a]", value=" v")
    fields = [problem.field for problem in KIND.validate(spec)]
    assert fields == ["path", "key", "section", "value"]
    for bad in ({"key": "a=b"}, {"key": ""}, {"value": "a\nb"}, {"value": "a\\"}, {"value": None}):
        assert [problem.field for problem in KIND.validate(setting(**bad))] == list(bad)
    assert KIND.validate(setting()) == []
    assert KIND.validate(setting(value=None, ensure="absent")) == []


def test_its_name_is_the_path_the_section_and_the_key() -> None:
    """One key may stand in several sections."""
    assert KIND.identity(setting(), "id") == "/f: [a] k"
    assert KIND.identity(setting(section=None), "id") == "/f: k"
    assert KIND.identity({"path": "/f"}, "id") is None
    assert KIND.part(setting()).path == "/f"
