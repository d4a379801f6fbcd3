from __future__ import annotations

import msgspec

from protocol.api_why import Explained, Why, WhyLine


def test_lines_keep_their_order_and_defaults() -> None:
    """What is not said is harmless: information, of no run."""
    line = WhyLine("2026-01-01T00:00:00Z", "code", "meaning", "detail", "next")
    data = msgspec.json.encode(Why("node", None, (line, line)))
    found = msgspec.json.decode(data, type=Why)
    assert found.lines == (line, line)
    assert (line.severity, line.run_id) == ("info", None)
    assert Explained("code", "meaning", "") == Explained("code", "meaning", "")
