"""Log lines are JSON objects, one per line, and never stop the agent."""

from __future__ import annotations

import io
import json

from agent.logs import Log


def test_a_line_is_one_object_with_its_fields() -> None:
    """Time, level, event and fields, without a line break inside."""
    stream = io.StringIO()
    Log(lambda: 1.23456, "info", stream).warning("link down", error="two\nlines")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == {
        "time": 1.235,
        "level": "warning",
        "event": "link down",
        "error": "two\nlines",
    }


def test_lines_below_the_level_are_left_out() -> None:
    """The level is the least that is written."""
    stream = io.StringIO()
    log = Log(lambda: 0.0, "warning", stream)
    log.info("no")
    log.write("debug", "no")
    log.warning("yes")
    log.failure("yes")
    assert len(stream.getvalue().splitlines()) == 2


def test_a_reader_that_is_gone_does_not_matter() -> None:
    """A closed stream loses lines, not the agent."""
    stream = io.StringIO()
    stream.close()
    Log(lambda: 0.0, "info", stream).info("unheard")
