"""/approvals, and the other routes where operators sign together."""

from __future__ import annotations

import msgspec

from protocol import dsse, ids, node_statement, revocations, roster
from protocol.node_statement import NodeStatement
from protocol.revocations import Revocation
from protocol.roster import Roster
from tests.fakes.api_site import APPROVED, SEED_TIME, Site, host_key, operator_key, roster_envelope

ULID = "01JZ0000000000000000000001"


def signed(kind: str, payload: bytes, name: str) -> dsse.Envelope:
    key = operator_key(name)
    return dsse.sign(kind, payload, key, ids.operator_id(key.public))


async def test_an_empty_list_and_an_unknown_run(api: Site) -> None:
    listed = await api.ask("GET", "/approvals")
    assert listed.json() == {"approvals": [], "total": 0}
    missing = await api.ask("GET", f"/approvals/{ULID}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    statement = Revocation(1, ULID, ids.DEFAULT_SCOPE, int(SEED_TIME))
    body = {"envelope": signed(dsse.REVOCATION, revocations.encode(statement), "oli")}
    assert (await api.ask("POST", f"/approvals/{ULID}/revoke", body)).status_code == 404


async def test_an_apply_that_plans_is_shown_with_what_it_takes(api: Site) -> None:
    body = {"step": "state.apply", "nodes": [APPROVED]}
    run = (await api.ask("POST", "/runs", body, name="oli")).json()
    found = (await api.ask("GET", f"/approvals/{run['run_id']}")).json()
    assert (found["status"], found["quorum"], found["created_by"]) == ("pending", 1, "oli")
    assert found["waiting"] == {"signatures": 1, "requester": "", "of": ["ada", "oli"]}


async def test_a_roster_is_proposed_signed_and_in_force(api: Site) -> None:
    """Two admins of a threshold of two: the first proposes, the second makes it the roster."""
    held = (await api.ask("GET", "/roster")).json()
    names: dict[str, roster.Role] = {"ada": "admin", "oli": "admin"}
    one = roster.decode(roster_envelope(names, 2, held["digest"]))
    assert isinstance(one, Roster)
    strict = msgspec.structs.replace(one, threshold=2)
    envelope = signed(dsse.ROSTER, roster.encode(strict), "ada")
    brought = await api.ask("POST", "/roster", {"envelope": envelope})
    assert brought.status_code == 201
    digest = brought.json()["digest"]
    third = msgspec.structs.replace(strict, version=3, previous=digest)
    envelope = signed(dsse.ROSTER, roster.encode(third), "ada")
    alone = await api.ask("POST", "/roster", {"envelope": envelope})
    assert (alone.status_code, alone.json()["error"]["code"]) == (400, "roster_invalid")
    assert alone.json()["error"]["next"]
    made = await api.ask("POST", "/roster/proposals", {"envelope": envelope})
    assert (made.status_code, made.json()["status"]) == (201, "open")
    path = f"/roster/proposals/{made.json()['digest']}"
    assert (await api.ask("GET", path)).json() == made.json()
    theirs = signed(dsse.ROSTER, roster.encode(third), "oli").signatures
    done = await api.ask("POST", f"{path}/signatures", {"signatures": theirs}, name="oli")
    assert (done.status_code, done.json()["status"]) == (200, "accepted")
    [shown] = (await api.ask("GET", "/roster/proposals")).json()["proposals"]
    assert shown["status"] == "accepted"
    assert (await api.ask("GET", "/roster")).json()["version"] == 3


async def test_a_statement_is_brought_and_read(api: Site) -> None:
    path = f"/agents/{APPROVED}/statement"
    missing = await api.ask("GET", path)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "statement_missing")
    assert "vouch" in missing.json()["error"]["next"]
    public = host_key(2).public.hex()
    said = NodeStatement(
        1, 1, APPROVED, public, "web-1", ids.DEFAULT_SCOPE, {"role": "web"}, int(SEED_TIME)
    )
    envelope = signed(dsse.NODE, node_statement.encode(said), "ada")
    brought = await api.ask("PUT", path, {"envelope": envelope})
    assert (brought.status_code, brought.json()["version"]) == (200, 1)
    assert (await api.ask("GET", path)).json() == brought.json()
    theirs = signed(dsse.NODE, node_statement.encode(said), "oli")
    assert (await api.ask("PUT", path, {"envelope": theirs}, name="oli")).status_code == 200
