"""Every operation against every role, and against nobody."""

from __future__ import annotations

import re

import pytest

from coordinator.api import permissions
from coordinator.api.permissions import Permit
from coordinator.app import framework
from coordinator.store import sessions
from protocol.api_tokens import NAMES as NAMES_OF_CAPABILITIES
from protocol.api_tokens import CreateTokenRequest, TokenCapability
from protocol.roster import Role
from tests.fakes.api_site import NAMES, Site

ROLES: tuple[Role | None, ...] = (None, "admin", "operator", "viewer", "automation")
LINK = ("GET", "/api/v1/agents/link")
# Open to everybody, and refused to everybody unless the settings turn it on.
PUBLIC_KEY = ("POST", "/api/v1/clusters/default/enrollment_keys/public")


def operations() -> list[tuple[str, str]]:
    """Return every operation that the application really serves."""
    found = {
        (str(method), permissions.published(route.path))
        for route in framework().routes
        for method in getattr(route, "methods", None) or ("GET",)
        if method != "OPTIONS"
    }
    return sorted(found)


def test_the_table_names_every_operation_and_no_other() -> None:
    assert operations() == sorted(permissions.TABLE)


def permits() -> list[tuple[str, str, Permit]]:
    """Return every operation that is not open to strangers."""
    return [
        (method, path, rule)
        for (method, path), rule in sorted(permissions.TABLE.items())
        if isinstance(rule, Permit)
    ]


def test_only_an_admin_changes_who_may_what() -> None:
    """Said here a second time on purpose: a slip in the table must not pass unseen."""
    assert {(m, p) for m, p, rule in permits() if rule.roles == frozenset({"admin"})} == {
        ("POST", "/api/v1/operators"),
        ("DELETE", "/api/v1/operators/{operator_id}"),
        ("POST", "/api/v1/roster"),
        ("DELETE", "/api/v1/audit"),
        ("PUT", "/api/v1/audit/retention"),
        *((m, f"{base}/tokens") for base in ("/api/v1", "/v1") for m in ("GET", "POST")),
        *(("DELETE", f"{base}/tokens/{{name}}") for base in ("/api/v1", "/v1")),
    }


def test_what_is_for_people_alone_is_a_known_list() -> None:
    """A token that leaked can neither make another credential nor destroy evidence."""
    closed = {path for _, path, rule in permits() if rule.capability is None}
    assert {
        "/api/v1/operators",
        "/api/v1/operators/{operator_id}",
        "/api/v1/roster",
        "/api/v1/tokens",
        "/v1/tokens",
        "/api/v1/tokens/{name}",
        "/v1/tokens/{name}",
        "/api/v1/audit",
        "/api/v1/audit/retention",
        "/api/v1/auth/sessions",
        "/api/v1/auth/sessions/{session_id}",
        "/api/v1/auth/logout",
        "/v1/auth/logout",
    } <= closed


def test_the_capability_to_read_changes_nothing() -> None:
    """Whoever gives a token `read` or `audit.read` gives away no change."""
    for method, path, rule in permits():
        if rule.capability in {"read", "audit.read"}:
            assert method == "GET", path
            assert "enrollment_keys" not in path


def test_a_viewer_only_reads_and_sees_no_enrolment_keys() -> None:
    own = ("/auth/logout", "/auth/sessions", "/auth/sessions/{session_id}")
    for method, path, rule in permits():
        if "viewer" in rule.roles and not path.endswith(own):
            assert method == "GET", path
            assert "enrollment_keys" not in path


def test_automation_lets_no_host_in_and_changes_no_operator() -> None:
    closed = {
        path
        for method, path, rule in permits()
        if "automation" not in rule.roles and method != "GET"
    }
    assert {"/api/v1/agents/{node_id}", "/api/v1/operators", "/api/v1/roster"} <= closed
    assert "/api/v1/clusters/{cluster_name}/enrollment_keys" in closed


def test_what_is_open_to_strangers_is_a_short_list() -> None:
    opened = {path for (_, path), rule in permissions.TABLE.items() if isinstance(rule, str)}
    assert {path for path in opened if not path.startswith("/schema")} == {
        "/healthz",
        "/readyz",
        "/api/v1/status",
        "/api/v1/auth/challenge",
        "/api/v1/auth/verify",
        "/api/v1/auth/config",
        "/v1/auth/config",
        "/api/v1/auth/me",
        "/v1/auth/me",
        "/api/v1/agents/link",
        "/api/v1/clusters/default/enrollment_keys/public",
    }


@pytest.mark.parametrize("role", ROLES)
async def test_every_operation_lets_in_whom_the_table_names(api: Site, role: Role | None) -> None:
    """401 without a session and 403 with the wrong role, before anything else is looked at."""
    wrong: list[str] = []
    for method, path in sorted(set(permissions.TABLE) - {LINK, PUBLIC_KEY}):
        rule = permissions.TABLE[method, path]
        url = re.sub(r"\{[a-z_0-9]+\}", "none", path)
        headers = await fresh_session(api, NAMES[role]) if role is not None else {}
        answer = await api.client.request(method, url, headers=headers)
        if permissions.allows(rule, role):
            refused = answer.status_code in {401, 403}
        else:
            refused = answer.status_code != (401 if role is None else 403)
        if refused:
            wrong.append(f"{role} {method} {path}: {answer.status_code}")
    assert wrong == []


async def fresh_session(api: Site, name: str) -> dict[str, str]:
    """Return the header of a new session: some operations end the one that asks."""
    token, owner = api.context.store.entropy(16).hex(), api.people[name].operator_id
    ends = api.clock.now + 3_600
    await api.context.store.write(lambda tx: sessions.create(tx, owner, token, ends))
    return {"authorization": f"Bearer {token}"}


async def make_token(
    api: Site, role: Role, *capabilities: TokenCapability, scope: str = "*"
) -> dict[str, str]:
    """Return the header of a new token that an admin made."""
    name = f"t{api.context.store.entropy(4).hex()}"
    request = CreateTokenRequest(name, role, capabilities, scope)
    answer = await api.ask("POST", "/tokens", request)
    assert answer.status_code == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}


def others(one: TokenCapability) -> tuple[TokenCapability, ...]:
    """Return every capability but one."""
    return tuple(other for other in NAMES_OF_CAPABILITIES if other != one)


async def refused(api: Site, method: str, path: str, headers: dict[str, str]) -> bool:
    """Say whether an operation is refused to whoever this header stands for."""
    url = re.sub(r"\{[a-z_0-9]+\}", "none", path)
    answer = await api.client.request(method, url, headers=headers)
    assert answer.status_code != 401, (method, path)
    return answer.status_code == 403


@pytest.mark.parametrize("role", [role for role in ROLES if role is not None])
async def test_every_operation_takes_a_token_for_its_capability_alone(
    api: Site, role: Role
) -> None:
    """For every route and role: the right capability opens it, all the others together do not."""
    wrong: list[str] = []
    tokens = {one: await make_token(api, role, one) for one in NAMES_OF_CAPABILITIES}
    without = {one: await make_token(api, role, *others(one)) for one in NAMES_OF_CAPABILITIES}
    everything = await make_token(api, role)
    for method, path, rule in permits():
        may = role in rule.roles and rule.capability is not None
        if await refused(api, method, path, everything) == may:
            wrong.append(f"{method} {path} with a token for all of {role}")
        if rule.capability is None:
            continue
        if await refused(api, method, path, tokens[rule.capability]) == may:
            wrong.append(f"{method} {path} with {rule.capability}")
        if not await refused(api, method, path, without[rule.capability]):
            wrong.append(f"{method} {path} without {rule.capability}")
    assert wrong == []


@pytest.mark.parametrize(
    ("scope", "open_"),
    [("*", True), ("default/*", True), ("default/default/*", True),
     ("default/default/default", True), ("default/default/prod", False), ("other/*", False)],
)  # fmt: skip
async def test_a_token_is_for_its_scope(api: Site, scope: str, open_: bool) -> None:
    header = await make_token(api, "admin", scope=scope)
    for method, path, rule in permits():
        if rule.capability is not None:
            assert await refused(api, method, path, header) != open_, path


@pytest.mark.parametrize("role", ROLES)
def test_an_operation_that_is_not_in_the_table_is_for_nobody(role: Role | None) -> None:
    assert not permissions.allows(None, role)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic dG9rZW4tb2YtYWRh", "Bearer wrong", "Bearer " + "x" * 5_000,
     "token-of-ada", "Bearer token-of-ada token-of-ada"],
)  # fmt: skip
async def test_a_malformed_or_unknown_token_is_401_also_where_none_is_needed(
    api: Site, header: str
) -> None:
    for path in ("/agents", "/status"):
        answer = await api.ask("GET", path, name=None, authorization=header)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["error"]["code"] == "unauthorized"


async def test_a_session_ends_with_its_time(api: Site) -> None:
    assert (await api.ask("GET", "/agents")).status_code == 200
    api.clock.now += 3_600
    assert (await api.ask("GET", "/agents")).status_code == 401


async def test_who_may_not_is_refused_before_the_query_is_judged(api: Site) -> None:
    """A stranger does not learn which parameters an operation has."""
    answer = await api.ask("GET", "/agents?nonsense=1", name=None)
    assert answer.status_code == 401
