"""`standfast agents`: who is in, under which name, with which tags."""

from __future__ import annotations

import msgspec
import pytest

from protocol import api
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person


def test_hosts_are_listed_whole_in_a_pipe(lena: Person, coordinator: FakeCoordinator) -> None:
    """No head, no colour, no truncation: one host is one line."""
    name = "w" + "e" * 60 + "b"
    node = coordinator.add_host(name)
    assert lena.types("agents list").out == (
        f"{name}\tapproved\tconnected\t\t2023-11-14T22:13:20Z\t{name}.example\t{node}\trole=web\n"
    )
    assert lena.types("agents list --filter role=web --status approved").code == 0
    assert coordinator.sent("GET", "/agents")[-1].query == {
        "status": "approved",
        "filter": "role=web",
    }


def test_a_terminal_gets_a_table_with_relative_times(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The same rows for a person."""
    coordinator.add_host("web")
    shown = lena.types("agents list", terminal=True)
    assert "NAME" in shown.out
    assert " ago" in shown.out
    plain = lena.types("agents list --no-color", terminal=True)
    assert "\x1b" not in plain.out


def test_a_host_is_approved_by_the_beginning_of_its_id(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The fingerprint that was approved is said, and may be demanded."""
    node = coordinator.add_host(None, status="pending")
    coordinator.on("POST", f"/agents/{node}", Reply(raw=b""))
    wrong = lena.types(f"agents approve {node[:8]} --name web --fingerprint 0000")
    assert wrong.code == 3
    assert coordinator.sent("POST", f"/agents/{node}") == []
    shown = lena.types(f"agents approve {node[:8]} --name web")
    assert shown.code == 0, shown
    assert coordinator.agents[0].fingerprint in shown.out
    [sent] = coordinator.sent("POST", f"/agents/{node}")
    assert msgspec.json.decode(sent.body) == {"status": "approved", "name": "web"}
    assert lena.types(f"agents approve {node} --name 1web").code == 1
    assert lena.types(f"agents approve {node}").code == 2


def test_a_cloned_host_is_chosen_and_not_approved(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """An approval would not give it any work, so the command says what does."""
    node = coordinator.add_host("web", status="pending")
    coordinator.agents[0] = msgspec.structs.replace(coordinator.agents[0], cloned=True)
    shown = lena.types("agents approve web --name web")
    assert shown.code == 2
    assert "standfast clones list web" in shown.err
    assert coordinator.sent("POST", f"/agents/{node}") == []
    assert "next: standfast clones list web" in lena.types("agents list", terminal=True).out


@pytest.mark.parametrize("word", ["reject", "remove"])
def test_what_cannot_be_undone_asks_first(
    lena: Person, coordinator: FakeCoordinator, word: str
) -> None:
    """--yes is the answer that a script gives."""
    node = coordinator.add_host("web")
    method = "POST" if word == "reject" else "DELETE"
    coordinator.on(method, f"/agents/{node}", Reply(raw=b""))
    assert lena.types(f"agents {word} web").code == 2
    assert lena.types(f"agents {word} web", answer="\n").code == 1
    assert coordinator.sent(method, f"/agents/{node}") == []
    assert lena.types(f"agents {word} web --yes").code == 0
    assert len(coordinator.sent(method, f"/agents/{node}")) == 1


def test_tags_are_set_and_taken_one_by_one(lena: Person, coordinator: FakeCoordinator) -> None:
    """A key alone means `true`; a slash in a key stays inside its path segment."""
    node = coordinator.add_host("web")
    for key in ("role", "ssd"):
        coordinator.on("PUT", f"/agents/{node}/tags/{key}", Reply(raw=b"", status=200))
        coordinator.on("DELETE", f"/agents/{node}/tags/{key}", Reply(raw=b""))
    assert lena.types("agents tag web role=web ssd").code == 0
    assert msgspec.json.decode(coordinator.sent("PUT", f"/agents/{node}/tags/ssd")[0].body) == {
        "value": "true"
    }
    assert lena.types("agents untag web role ssd").code == 0
    assert lena.types("agents tag web bad_key!=x").code == 1
    assert lena.types("agents untag web a/b").code == 4
    assert coordinator.requests[-1].path.endswith("/tags/a%2Fb")


def test_one_host_is_shown_by_name_and_unknown_ones_are_exit_code_4(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """`--json` is the API's own shape."""
    node = coordinator.add_host("web")
    coordinator.on("GET", f"/agents/{node}/attributes", Reply({"b": "2", "a": "1"}))
    shown = lena.types("--json agents show web")
    assert msgspec.json.decode(shown.out, type=api.Agent) == coordinator.agents[0]
    assert ["id", node] in lena.types("agents show WEB").rows
    assert lena.types("agents attributes web").rows == [["a", "1"], ["b", "2"]]
    missing = lena.types("agents show wep")
    assert missing.code == 4
    assert "did you mean 'web'" in missing.err


def test_a_host_that_does_not_come_is_waited_for_so_long_and_no_longer(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """With --wait an empty list is an error that says where to look; without, it is an answer."""
    assert lena.types("agents list").code == 0
    shown = lena.types("agents list --wait 1")
    assert shown.code == 4
    assert "no such host came within 1 s" in shown.err
    coordinator.add_host("web")
    assert "web" in lena.types("agents list --wait 1").out


def test_a_terminal_shows_the_beginning_of_an_id_that_a_command_takes(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The command that it offers for a pending host can be pasted; a pipe has the whole id."""
    node = coordinator.add_host("web", status="pending")
    shown = lena.types("agents list", terminal=True).out
    assert node not in shown
    offered = shown.rstrip().rpartition("agents approve ")[2].split()[0]
    assert node.startswith(offered)
    assert lena.types(f"agents show {offered}").code == 0
    assert node in lena.types("agents list").out
