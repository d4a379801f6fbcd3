"""Tags of hosts."""

from __future__ import annotations

from coordinator.domain import agents, tags
from tests.fakes.api_site import APPROVED, PENDING, Desk


def of(desk: Desk, node_id: str) -> dict[str, str]:
    """Return a host's tags."""
    return desk.do(lambda tx: agents.get(tx, node_id)).tags


def test_tags_are_replaced_set_and_removed() -> None:
    desk = Desk.open()
    desk.do(lambda tx: tags.replace(tx, desk.ada, APPROVED, {"b": "2", "a": "1"}, None))
    desk.do(lambda tx: tags.put(tx, desk.ada, APPROVED, "a", "3", None))
    assert of(desk, APPROVED) == {"a": "3", "b": "2"}
    desk.do(lambda tx: tags.remove(tx, desk.ada, APPROVED, "b", None))
    assert of(desk, APPROVED) == {"a": "3"}
    assert desk.last_event().type == "agent.tags_changed"


def test_a_wrong_tag_changes_nothing() -> None:
    desk = Desk.open()
    refusal = desk.refused(lambda tx: tags.put(tx, desk.ada, APPROVED, "no key", "x", None))
    assert refusal.kind == "bad_request"
    assert of(desk, APPROVED) == {}


def test_what_is_not_there_is_not_found() -> None:
    desk = Desk.open()
    for refusal in (
        desk.refused(lambda tx: tags.remove(tx, desk.ada, APPROVED, "a", None)),
        desk.refused(lambda tx: tags.replace(tx, desk.ada, "nobody", {}, None)),
        desk.refused(lambda tx: tags.put(tx, desk.ada, "nobody", "a", "b", None)),
    ):
        assert refusal.kind == "not_found"


def test_an_old_version_does_not_overwrite_a_newer_one() -> None:
    desk = Desk.open()
    seen = desk.do(lambda tx: agents.get(tx, APPROVED)).resource_version
    desk.do(lambda tx: tags.put(tx, desk.ada, APPROVED, "a", "first", seen))
    refusal = desk.refused(lambda tx: tags.put(tx, desk.ada, APPROVED, "a", "late", seen))
    assert refusal.kind == "conflict"
    assert of(desk, APPROVED) == {"a": "first"}


def test_a_change_wakes_the_hosts_link() -> None:
    desk = Desk.open()

    def job(tx: object) -> set[str]:
        tags.put(tx, desk.ada, APPROVED, "a", "b", None)  # type: ignore[arg-type]  # a Tx
        return tx.topics  # type: ignore[attr-defined,no-any-return]  # a Tx

    assert f"node:{APPROVED}" in desk.do(job)


def test_all_keys_and_values_in_use_are_listed_sorted() -> None:
    desk = Desk.open()
    desk.do(lambda tx: tags.replace(tx, desk.ada, APPROVED, {"env": "b", "role": "web"}, None))
    desk.do(lambda tx: tags.replace(tx, desk.ada, PENDING, {"env": "a"}, None))
    assert desk.do(tags.everything).tags == {"env": ("a", "b"), "role": ("web",)}
