"""How problems are printed."""

from __future__ import annotations

from state_engine.cli.output import problems_json, summary
from state_engine.model import Problem

ERROR = Problem("f", 1, "bad", hint="be good", column=2, code="x")
WARNING = Problem("f", 3, "odd", severity="warning")


def test_the_summary_counts_in_plain_words() -> None:
    assert summary(1, []) == "1 file, 0 errors, 0 warnings"
    assert summary(2, [ERROR, WARNING]) == "2 files, 1 error, 1 warning"


def test_json_problems_always_have_every_key() -> None:
    assert problems_json([ERROR, WARNING]) == [
        {
            "file": "f",
            "line": 1,
            "column": 2,
            "severity": "error",
            "code": "x",
            "message": "bad",
            "hint": "be good",
        },
        {
            "file": "f",
            "line": 3,
            "column": 1,
            "severity": "warning",
            "code": "",
            "message": "odd",
            "hint": None,
        },
    ]
