"""Problems are listed until they are put right."""

from __future__ import annotations

from agent.problems import Problems


def test_a_problem_is_listed_until_it_is_cleared() -> None:
    """Each code stands once, with its latest sentence, in a stable order."""
    problems = Problems()
    assert problems.put("link", "first")
    assert not problems.put("link", "second")
    problems.put("disk_full", "no room")
    assert problems.listed() == ("disk_full: no room", "link: second")
    problems.clear("link")
    problems.clear("never there")
    assert problems.listed() == ("disk_full: no room",)
