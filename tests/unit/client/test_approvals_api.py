from __future__ import annotations

import pytest

from client import approvals_api
from client.failures import NotFoundError
from client.session import Session, Settings
from tests.fakes.api_server import FakeCoordinator, problem
from tests.fakes.operator import Person


def test_no_statement_is_told_apart_from_no_host(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """None means that nothing was signed yet; a host that is not there stays an error."""
    node_id = coordinator.add_host("web")
    session = Session(Settings(config_dir=str(lena.directory)))
    assert approvals_api.statement(session.api, node_id) is None
    path = "/agents/nobody/statement"
    coordinator.on("GET", path, problem(404, "not_found", "there is no agent 'nobody'"))
    with pytest.raises(NotFoundError):
        approvals_api.statement(session.api, "nobody")
    session.close()


def test_ids_stay_in_their_place_of_a_path(lena: Person, coordinator: FakeCoordinator) -> None:
    """What a coordinator or a person wrote as an id does not lead to another route."""
    session = Session(Settings(config_dir=str(lena.directory)))
    for call in (approvals_api.approval, approvals_api.proposal):
        with pytest.raises(NotFoundError):
            call(session.api, "../status?x=1")
    session.close()
    assert all("/status" not in one.path.partition("/approvals")[2] for one in coordinator.requests)
