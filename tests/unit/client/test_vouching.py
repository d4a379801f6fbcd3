"""What an operator signs about a host, and whose key they take for the host's."""

from __future__ import annotations

import msgspec
import pytest

from client import vouching
from client.failures import UntrustedError
from client.session import Session, Settings
from protocol import ids, node_statement
from protocol.node_statement import NodeStatement
from tests.fakes.api_server import FakeCoordinator
from tests.fakes.operator import Person
from tests.fakes.people import key


def signed(coordinator: FakeCoordinator, node_id: str) -> NodeStatement:
    """The statement that the coordinator holds, verified."""
    found = node_statement.verify(coordinator.statements[node_id], coordinator.trusted().roster)
    assert isinstance(found, NodeStatement), found
    return found


def test_approving_signs_what_the_host_is(lena: Person, coordinator: FakeCoordinator) -> None:
    """Key, name, scope and the tags that were typed; the coordinator's own tags are not signed."""
    node_id = coordinator.add_host(None, status="pending")
    coordinator.on("POST", f"/agents/{node_id}", coordinator.answer_ok)
    done = lena.types(f"agents approve {node_id} --name web --tag env=prod --tag db")
    assert done.code == 0, done
    said = signed(coordinator, node_id)
    assert said.tags == {"env": "prod", "db": "true"}
    assert (said.name, said.version, said.scope) == ("web", 1, ids.DEFAULT_SCOPE)
    assert ids.node_id(bytes.fromhex(said.public_key)) == node_id


def test_vouching_again_changes_only_what_is_typed(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    node_id = coordinator.add_host("web")
    assert lena.types("agents vouch web --tag env=prod --tag db --yes").code == 0
    refused = lena.types("agents vouch web --untag db", answer="n\n")
    assert refused.code == 1
    assert signed(coordinator, node_id).version == 1
    assert lena.types("agents vouch web --untag db --tag env=test --yes").code == 0
    said = signed(coordinator, node_id)
    assert (said.version, said.tags) == (2, {"env": "test"})
    assert ["signed tags", "env=test"] in lena.types("agents show web").rows
    coordinator.add_host(None, status="pending")
    assert lena.types(f"agents vouch {coordinator.agents[1].node_id} --yes").code == 2


def test_a_key_that_the_id_does_not_commit_to_is_not_vouched_for(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """Unless a person has read its fingerprint on the host, or the operators vouched before."""
    node_id = coordinator.add_host("web")
    other = key(77).public
    agent = coordinator.agents[0]
    coordinator.agents[0] = msgspec.structs.replace(agent, public_key=other.hex())
    refused = lena.types("agents vouch web --yes")
    assert refused.code == 3
    assert "does not follow from the key" in refused.err
    assert node_id not in coordinator.statements
    own = ids.fingerprint(other)
    assert lena.types(f"agents vouch web --fingerprint {own} --yes").code == 0
    assert lena.types("agents vouch web --tag env=prod --yes").code == 0
    assert signed(coordinator, node_id).public_key == other.hex()
    wrong = lena.types("agents vouch web --fingerprint 0000-0000 --yes")
    assert wrong.code == 3


def test_a_statement_that_operators_did_not_sign_is_refused(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The coordinator cannot put tags in their mouth, nor show the statement of another host."""
    node_id = coordinator.add_host("web")
    other = coordinator.add_host("db")
    assert lena.types("agents vouch db --yes").code == 0
    coordinator.statements[node_id] = coordinator.statements[other]
    assert lena.types("agents vouch web --yes").code == 3
    del coordinator.statements[node_id]
    assert lena.types("agents vouch web --yes").code == 0
    held = coordinator.statements[node_id]
    coordinator.statements[node_id] = msgspec.structs.replace(held, signatures=())
    refused = lena.types("agents vouch web --yes")
    assert refused.code == 3
    assert "does not hold" in refused.err


def test_who_may_not_vouch_still_approves_but_says_so(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """An operator without the grant lets a host in; what it is, an admin signs later."""
    node_id = coordinator.add_host(None, status="pending")
    coordinator.on("POST", f"/agents/{node_id}", coordinator.answer_ok)
    session = Session(Settings(config_dir=str(lena.directory)))
    trusted = session.trusted().roster
    session.close()
    operators = tuple(msgspec.structs.replace(o, role="operator") for o in trusted.operators)
    weak = msgspec.structs.replace(trusted, operators=operators)
    agent = coordinator.agents[0]
    public = vouching.proven_key(agent, None, None)
    statement = vouching.make(session, agent, vouching.Wanted("web"), public, None)
    assert vouching.says_why_not(session, trusted, statement, None) is None
    assert "takes an admin" in str(vouching.says_why_not(session, weak, statement, None))
    with pytest.raises(UntrustedError):
        vouching.proven_key(msgspec.structs.replace(agent, public_key="x"), None, None)
