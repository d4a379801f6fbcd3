"""Commands end to end with real processes: a coordinator, two agents, the command line."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest

from devtools.local_fleet import LocalFleet, field, rows, wait_for

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalFleet]:
    """A coordinator with two approved hosts that are tagged."""
    with LocalFleet(tmp_path_factory.mktemp("fleet")) as made:
        made.make_operator()
        made.init_coordinator()
        made.start_coordinator()
        made.make_profile()
        for name in ("web1", "web2"):
            made.start_agent(name, made.make_enrolment_key())
            node = made.approve_first_pending(name)
            made.cli("agents", "tag", node, "role=web")
        yield made


def hosts(answer: object) -> dict[str, object]:
    """The executions of an answer by the host's name."""
    return {str(field(one, "node_name")): one for one in rows(field(answer, "hosts"))}


def test_equal_answers_are_shown_once(fleet: LocalFleet) -> None:
    """Both hosts run it at once after one line; what they print alike stands there once."""
    shown = fleet.cli("run", "echo hello; echo there >&2", "--on", "role=web")
    assert "2 hosts: web1, web2  exit 0\n  hello\n  there\n" in shown
    assert "2 of 2 hosts went well" in shown


def test_codes_and_streams_of_each_host_are_told(fleet: LocalFleet) -> None:
    """A failure somewhere is exit code 5, with each host's own word for it."""
    answer = fleet.ask("run", "echo $N; cat; exit 3", "--on", "role=web", "--env", "N=7", codes=[5])
    for one in hosts(answer).values():
        assert field(one, "exit_code") == 3
        assert field(one, "ending") == "exited"
        assert field(one, "output") == "7\n"


def test_one_host_speaks_live(fleet: LocalFleet) -> None:
    """Its output is the program's own, byte for byte of text."""
    assert fleet.cli("run", "printf 'a\\nb'", "--node", "web1") == "a\nb"


def test_a_timeout_is_told_from_the_scripts_own_code(fleet: LocalFleet) -> None:
    """What was printed before it is kept."""
    script = "echo before; exec sleep 600"
    answer = fleet.ask("run", script, "--node", "web1", "--timeout", "1s", codes=[5])
    one = hosts(answer)["web1"]
    assert (field(one, "exit_code"), field(one, "ending")) == (124, "timeout")
    assert field(one, "output") == "before\n"


def test_a_running_command_is_cancelled(fleet: LocalFleet) -> None:
    """143 of our own; the whole of it is over on the host."""
    note = fleet.directory / "running"
    made = fleet.ask("run", f"echo $$ >{note}; exec sleep 600", "--node", "web1", "--no-wait")
    command = str(field(made, "command_id"))
    wait_for("the command to begin", lambda: (note.exists() and note.read_text()) or None)
    fleet.cli("commands", "cancel", command, "--node", "web1", "--yes")

    def over() -> object | None:
        one = hosts(fleet.ask("commands", "show", command))["web1"]
        return one if field(one, "status") == "cancelled" and field(one, "exit_code") else None

    one = wait_for("the command to end", over)
    assert (field(one, "exit_code"), field(one, "ending")) == (143, "cancelled")
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_a_host_that_is_away_is_named_and_runs_it_later(fleet: LocalFleet) -> None:
    """The others are not held up; when it comes back it runs the command once."""
    fleet.stop("web2")
    ran = fleet.directory / "ran"
    away = lambda: None if field(by_name(fleet)["web2"], "connected") else True  # noqa: E731 - one word
    wait_for("web2 to be seen as away", away)
    shown = fleet.cli("run", f"echo x >>{ran}", "--on", "role=web", codes=[5])
    assert "missing  web2: away, last seen" in shown
    assert "1 of 2 hosts went well, 1 missing" in shown
    assert ran.read_text() == "x\n"
    fleet.start_agent("web2")
    wait_for("web2 to run it", lambda: ran.read_text() == "x\nx\n" or None)


def by_name(fleet: LocalFleet) -> dict[str, object]:
    return {str(field(one, "name")): one for one in fleet.agents()}


def test_a_command_cut_short_by_a_crash_is_not_run_again(fleet: LocalFleet) -> None:
    """Killed with its agent in the middle it is interrupted, with what it had said."""
    ran = fleet.directory / "once"
    script = f"echo x >>{ran}; echo said; exec sleep 600"
    made = fleet.ask("run", script, "--node", "web1", "--no-wait")
    command = str(field(made, "command_id"))

    def said() -> object | None:
        one = hosts(fleet.ask("commands", "show", command))["web1"]
        return one if field(one, "output") == "said\n" else None

    wait_for("the first words", said)
    fleet.stop("web1", signal.SIGKILL)
    fleet.start_agent("web1")

    def over() -> object | None:
        one = hosts(fleet.ask("commands", "show", command))["web1"]
        return one if field(one, "status") == "completed" else None

    one = wait_for("the answer", over)
    assert (field(one, "ending"), field(one, "exit_code")) == ("interrupted", None)
    assert ran.read_text("utf-8") == "x\n"
    assert field(one, "output") == "said\n"
