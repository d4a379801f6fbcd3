"""The kind block-in-file."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.block_in_file import BlockInFile

KIND = BlockInFile()


def block(**fields: Json) -> dict[str, Json]:
    return {"path": "/f", "marker": "m", "block": "x\ny\n", **fields}


OURS = "# BEGIN m\nx\ny\n# END m\n"


@pytest.mark.parametrize(
    ("fields", "before", "after"),
    [
        ({}, "a\n", f"a\n{OURS}"),
        ({"position": "start"}, "a\n", f"{OURS}a\n"),
        ({"position": "start"}, f"a\n{OURS}", f"a\n{OURS}"),
        ({}, "a\n# BEGIN m\nold\n# END m\nb", f"a\n{OURS}b"),
        ({}, "  # BEGIN m\n  # END m", "  # BEGIN m\nx\ny\n  # END m"),
        ({}, "a\r\n", "a\r\n" + OURS.replace("\n", "\r\n")),
        ({"block": ""}, "", "# BEGIN m\n# END m\n"),
        ({"comment": "<!--", "comment_end": "-->", "block": "x"}, "",
         "<!-- BEGIN m -->\nx\n<!-- END m -->\n"),
        ({"ensure": "absent"}, f"a\n{OURS}b", "a\nb"),
        ({"ensure": "absent", "block": None}, "a\n", "a\n"),
        ({}, f"# BEGIN n\nz\n# END n\n{OURS}", f"# BEGIN n\nz\n# END n\n{OURS}"),
    ],
)  # fmt: skip
def test_the_block_is_put_in_or_taken_out(fields: dict[str, Json], before: str, after: str) -> None:
    """Nothing outside of its marker lines changes."""
    assert KIND.judge(block(**fields), before.encode()).edited == after.encode()


@pytest.mark.parametrize(
    "content",
    ["# BEGIN m\n", "# END m\n", "# END m\n# BEGIN m\n", f"{OURS}{OURS}", f"# BEGIN m\n{OURS}"],
)
def test_marker_lines_that_are_not_one_pair_are_a_problem(content: str) -> None:
    """What is ours is then not known, so nothing is taken out and nothing added."""
    verdict = KIND.judge(block(), content.encode())
    assert "not one pair" in (verdict.problem or "")
    assert verdict.edited == KIND.taken_out(block(), content.encode()) == content.encode()


def test_the_change_shows_the_block_and_no_line_beside_it() -> None:
    """The rest of the file is not the module's to show."""
    [change] = KIND.judge(block(), b"private\n# BEGIN m\nold\n# END m\nprivate\n").changes
    assert change.field == "block"
    assert change.diff[-3:] == ("-old", "+x", "+y")
    assert not any("private" in each for each in change.diff)


def test_each_bad_field_is_named() -> None:
    """Markers that are none, and blocks that would end themselves."""
    spec = block(path="f", marker=" m", comment="", comment_end="a\nb", block="\x1b")
    fields = [problem.field for problem in KIND.validate(spec)]
    assert fields == ["path", "marker", "comment", "comment_end", "block"]
    assert [p.field for p in KIND.validate(block(block="a\n # END m \n"))] == ["block"]
    assert [p.field for p in KIND.validate({"path": "/f", "marker": "m"})] == ["block"]
    assert KIND.validate({"path": "/f", "marker": "m", "ensure": "absent"}) == []
    assert KIND.validate(block()) == []


def test_its_name_is_the_path_and_the_marker() -> None:
    """Several blocks can stand in one file."""
    assert KIND.identity(block(), "id") == "/f: m"
    assert KIND.identity({"path": "/f"}, "id") is None
    assert KIND.part(block(create=True)).create
