from __future__ import annotations

from client import commands_api
from client.session import Session, Settings
from protocol.api_commands import CreateCommandRequest, Targeting
from tests.fakes.api_commands import CommandCoordinator
from tests.fakes.operator import Person


def test_every_call_reads_its_answer(stranger: Person) -> None:
    """Each of them against a coordinator that answers honestly."""
    made = CommandCoordinator()
    with made.running():
        stranger.founds(made.url)
        node = made.add_host("web1")
        session = Session(Settings(config_dir=str(stranger.directory)))
        try:
            wanted = Targeting("nodes", (node,))
            info = commands_api.create(session.api, CreateCommandRequest(wanted, "true"))
            assert commands_api.command(session.api, info.id) == info
            assert commands_api.commands(session.api) == (info,)
            (one,) = commands_api.executions(session.api, info.id)
            assert commands_api.cancel(session.api, one.id) == one
            assert commands_api.preview(session.api, wanted).nodes[0].node_id == node
            assert commands_api.output(session.api, info.id, 0).over
        finally:
            session.close()
