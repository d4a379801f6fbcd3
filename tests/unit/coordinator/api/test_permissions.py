"""Every operation against every role, and against nobody."""

from __future__ import annotations

import re

import pytest

from coordinator.api import permissions
from coordinator.app import framework
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


def test_only_an_admin_changes_who_decides() -> None:
    """Said here a second time on purpose: a slip in the table must not pass unseen."""
    assert {key for key, rule in permissions.TABLE.items() if rule == frozenset({"admin"})} == {
        ("POST", "/api/v1/operators"),
        ("DELETE", "/api/v1/operators/{operator_id}"),
        ("POST", "/api/v1/roster"),
    }


def test_a_viewer_only_reads_and_sees_no_enrolment_keys() -> None:
    for (method, path), rule in permissions.TABLE.items():
        if isinstance(rule, frozenset) and "viewer" in rule:
            assert method == "GET", path
            assert "enrollment_keys" not in path


def test_automation_lets_no_host_in_and_changes_no_operator() -> None:
    closed = {
        path
        for (method, path), rule in permissions.TABLE.items()
        if isinstance(rule, frozenset) and "automation" not in rule and method != "GET"
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
        headers = api.bearer(NAMES[role]) if role is not None else {}
        answer = await api.client.request(method, url, headers=headers)
        if permissions.allows(rule, role):
            refused = answer.status_code in {401, 403}
        else:
            refused = answer.status_code != (401 if role is None else 403)
        if refused:
            wrong.append(f"{role} {method} {path}: {answer.status_code}")
    assert wrong == []


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
