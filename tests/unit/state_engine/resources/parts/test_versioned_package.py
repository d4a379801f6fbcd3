"""What the package kinds share, by way of two of them."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context
from state_engine.resources.package_apk import PackageApk
from state_engine.resources.package_dnf import PackageDnf
from tests.fakes.package_hosts import FakeAlpine, FakeFedora, PackageHost


@pytest.mark.parametrize(("kind", "make"), [(PackageDnf(), FakeFedora), (PackageApk(), FakeAlpine)])
@pytest.mark.parametrize(
    ("spec", "installed", "action", "asked"),
    [
        ({}, None, "create", False),
        ({}, "0.1-r0", "none", False),
        ({"version": "1.2-r0"}, "1.2-r0", "none", False),
        ({"version": "1.2-r0"}, "1.0-r0", "update", False),
        ({"version": "latest"}, "1.0-r0", "update", True),
        ({"version": "latest"}, "1.2-r0", "none", True),
        ({"version": "latest"}, "3-r0", "none", True),
        ({"version": "latest"}, None, "create", False),
        ({"version": "< 2"}, "1.0-r0", "none", False),
        ({"version": "> 1"}, "0.9-r0", "update", True),
        ({"version": "> 9"}, "1.0-r0", "error", True),
        ({"ensure": "absent"}, "1.0-r0", "update", False),
        ({"ensure": "absent"}, None, "none", False),
    ],
)
def test_what_is_due_and_whether_repositories_are_asked(
    kind: PackageDnf | PackageApk,
    make: type[PackageHost],
    spec: dict[str, Json],
    installed: str | None,
    action: str,
    asked: bool,
) -> None:
    """Only a wish that the installed version may not fulfil costs a query."""
    host = make({} if installed is None else {"a": installed}, {"a": ["1.0-r0", "1.2-r0"]})
    whole: dict[str, Json] = {"name": "a", **spec}
    observation = kind.observe(whole, host, verify=False)
    assert kind.compare(whole, observation, Context()).action == action
    queries = [call for call in host.programs.calls if "repoquery" in call or "policy" in call]
    assert bool(queries) == asked
