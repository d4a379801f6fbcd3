"""Lines of a system crontab."""

from __future__ import annotations

import pytest

from state_engine.resources.parts import cron_lines
from state_engine.resources.parts.cron_lines import Job


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *", "0 0 1 1 0", "59 23 31 12 7", "*/15 * * * *", "0-30/10,45 * * * *",
        "0 9-17 * * mon-fri", "0 0 1 JAN,jul *", "@reboot", "@daily", "0 0 29 feb *",
        "0 0 31 2 mon",
    ],
)  # fmt: skip
def test_what_cron_takes_is_taken(schedule: str) -> None:
    """With a day of the week, the other day may be one that never comes."""
    assert cron_lines.schedule_problem(schedule) is None


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("60 * * * *", "minute"), ("* 24 * * *", "hour"), ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "month"), ("* * * * 8", "day of the week"), ("*/0 * * * *", "step"),
        ("*/60 * * * *", "step"), ("5/10 * * * *", "single"), ("30-10 * * * *", "backwards"),
        ("* * * * sat-sun", "backwards"), ("1,,2 * * * *", "number"), ("-1 * * * *", "number"),
        ("mon * * * *", "number"), ("* * * *", "five"), ("* * * * * *", "five"),
        ("*  * * * *", "five"), ("*\t* * * *", "five"), ("@sometimes", "@daily"), ("", "five"),
        ("@daily\n* * * * * root x", "none of"), ("* * * * *\n", "number"),
        ("0 0 30 2 *", "never"), ("0 0 31 4,6 *", "never"), ("~ * * * *", "number"),
        ("1/ * * * *", "step"), ("\u0661 * * * *", "number"),
    ],
)  # fmt: skip
def test_what_cron_would_pass_over_is_named(schedule: str, words: str) -> None:
    """The message says which field."""
    assert words in (cron_lines.schedule_problem(schedule) or "")


def test_a_command_is_one_line_and_runs_as_written() -> None:
    """A daemon takes a bare percent sign for a line break, so it gets a backslash."""
    for command in ("", " a", "a\nb", "a\0", "date +\\%F"):
        assert cron_lines.command_problem(command) is not None
    job = Job("@daily", "app", "date +%F", {"B": 'a"b', "A": "x y"})
    text = cron_lines.render(job, "head")
    assert text == '# head\nA="x y"\nB=\'a"b\'\n@daily app date +\\%F\n'
    assert cron_lines.parse(text) == job


def test_a_variable_is_one_that_cron_can_read() -> None:
    """One line, one kind of quotes."""
    assert cron_lines.environment_problem("MAILTO", "") is None
    for name, value in (("A B", ""), ("", ""), ("A", "a\nb"), ("A", "\"'"), ("A", "x" * 1000)):
        assert cron_lines.environment_problem(name, value) is not None


@pytest.mark.parametrize("text", ["", "x", "@daily app a\n@daily app b\n", "A=b\n* * * * * a b\n"])
def test_another_form_is_not_read(text: str) -> None:
    """It is somebody else's, and is shown as such."""
    assert cron_lines.parse(text) is None
