from __future__ import annotations

from coordinator.links import Links


class Asked:
    """A link that notes how it was asked to end."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def ask_to_close(self, code: str, message: str) -> None:
        assert message
        self.codes.append(code)


def test_one_link_for_each_node() -> None:
    """The newer one stays, the older one is asked to end and cannot take the newer one along."""
    links, older, newer = Links(), Asked(), Asked()
    links.put("n", older)
    links.put("n", newer)
    links.drop("n", older)
    assert (older.codes, newer.codes) == (["replaced"], [])
    assert links.is_live("n")
    links.drop("n", newer)
    assert links.count() == 0


def test_handshakes_are_bounded_in_all_and_by_address() -> None:
    """A place that is given back can be taken again."""
    links = Links(max_handshakes=3, max_of_peer=2)
    assert [links.admit("a") for _ in range(3)] == [True, True, False]
    assert [links.admit("b"), links.admit("b")] == [True, False]
    links.give_back("a")
    assert links.admit("b")


def test_closing_asks_every_link() -> None:
    """All hear the same code."""
    links, both = Links(), [Asked(), Asked()]
    for number, link in enumerate(both):
        links.put(str(number), link)
    links.close()
    assert [link.codes for link in both] == [["going_away"], ["going_away"]]
