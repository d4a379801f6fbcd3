"""The kind container."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from protocol.reports import Action
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import ApplyOutcome
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.container import ContainerKind
from tests.fakes.container_host import ContainerHost
from tests.fakes.resources import resource

KIND = ContainerKind()
PIN = f"nginx@sha256:{'a' * 64}"


def spec(**fields: Json) -> dict[str, Json]:
    return {"name": "web", "image": "nginx:1.27", **fields}


def item(**fields: Json) -> ResolvedResource:
    return resource("container", "web", spec(**fields))


def apply(
    host: ContainerHost, *items: ResolvedResource, before: Snapshot | None = None
) -> ApplyOutcome:
    return apply_plan("op", "n", items, before or Snapshot(), host, approved=None)


def due(host: ContainerHost, **fields: Json) -> tuple[Action, list[str]]:
    found = make_plan("n", [item(**fields)], Snapshot(), host).resources[0]
    return found.action, [change.field for change in found.changes]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": "--rm"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"image": None}, "image"),
        ({"image": "nginx"}, "image"),
        ({"image": "nginx:latest"}, "image"),
        ({"image": "--privileged"}, "image"),
        ({"image": "a b:1"}, "image"),
        ({"image": "nginx@sha256:abc"}, "image"),
        ({"ports": ["80"]}, "ports"),
        ({"volumes": ["/a"]}, "volumes"),
        ({"env": {"A=B": ""}}, "env"),
        ({"env": {"A": "x\nB=y"}}, "env"),
        ({"user": "-x"}, "user"),
        ({"network": "a b"}, "network"),
        ({"command": ["a\0"]}, "command"),
    ],
)
def test_what_is_refused(fields: dict[str, Json], wrong: str) -> None:
    """With the field that is wrong."""
    assert [problem.field for problem in KIND.validate(spec(**fields))] == [wrong]


@pytest.mark.parametrize(
    "image", [PIN, "nginx:1.27", f"r.example.org:5000/a/b:1@sha256:{'a' * 64}"]
)
def test_a_fixed_image_is_accepted(image: str) -> None:
    """By tag, by digest, from any registry."""
    assert KIND.validate(spec(image=image)) == []


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"image": "nginx:1.28"}, ["image"]),
        ({"ports": ["8080:80"]}, ["ports"]),
        ({"volumes": ["/a:/b:ro"]}, ["volumes"]),
        ({"restart": "always"}, ["restart"]),
        ({"command": ["sleep", "9"]}, ["command"]),
        ({"env": {"A": "1"}}, ["env"]),
        ({"user": "app"}, ["user"]),
        ({"network": "host"}, ["network"]),
    ],
)
@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_each_difference_makes_it_again_and_back(
    engine: str, fields: dict[str, Json], changed: list[str]
) -> None:
    """The field is named, except where only our own digest tells that something was taken out."""
    host = ContainerHost(engine)
    apply(host, item())
    assert due(host) == ("none", [])
    assert due(host, **fields) == ("update", changed)
    assert apply(host, item(**fields)).result.status == "succeeded"
    assert due(host, **fields) == ("none", [])
    action, fields_again = due(host)
    assert action == "update"
    assert fields_again in (changed, ["spec"])
    assert apply(host, item()).result.status == "succeeded"
    assert due(host) == ("none", [])


def test_a_container_that_stopped_is_drift_and_is_started() -> None:
    """It is the same container then."""
    host = ContainerHost()
    first = apply(host, item())
    state = host.containers["web"]["State"]
    assert isinstance(state, dict)
    state["Running"] = False
    (drift,) = find_drift(first.snapshot, host)
    assert [change.field for change in drift.changes] == ["running"]
    apply(host, item())
    assert (state["Running"], host.count) == (True, 1)
    assert due(host, running=False) == ("update", ["running"])


def test_the_image_is_there_before_the_old_container_goes() -> None:
    """A registry that is away costs nothing."""
    host = ContainerHost()
    apply(host, item())
    host.registry = False
    before = dict(host.containers)
    assert apply(host, item(image="nginx:1.28")).result.status == "failed"
    assert host.containers == before


def test_an_image_that_is_here_is_not_fetched_again() -> None:
    """A fixed tag is the same tomorrow; and a host that is cut off can still start it."""
    host = ContainerHost()
    apply(host, item())
    host.registry = False
    assert apply(host, item(env={"A": "1"})).result.status == "succeeded"
    pulls = [call for call in host.programs.calls if " pull " in call]
    assert len(pulls) == 1


def test_somebody_elses_container_is_left_alone() -> None:
    """Unless the module says otherwise; and its removal is never ours to do."""
    host = ContainerHost()
    host.put("web", ["nginx:1.27"], "", running=True)
    assert due(host)[0] == due(host, ensure="absent")[0] == "error"
    assert apply(host, item()).result.status == "failed"
    taken = apply(host, item(adopt=True))
    assert (taken.result.status, host.count) == ("succeeded", 2)
    apply(host, before=taken.snapshot)
    assert set(host.containers) == {"web"}


def test_ours_goes_when_it_is_no_longer_desired_or_absent() -> None:
    """Stopped first."""
    host = ContainerHost()
    first = apply(host, item())
    apply(host, before=first.snapshot)
    assert host.containers == {}
    apply(host, item())
    assert apply(host, item(ensure="absent")).result.status == "succeeded"
    assert due(host, ensure="absent") == ("none", [])


def test_no_variables_value_is_in_a_plan() -> None:
    """Only which of them differ."""
    host = ContainerHost()
    apply(host, item(env={"KEY": "first secret"}))
    plan = make_plan("n", [item(env={"KEY": "second secret"})], Snapshot(), host)
    assert "secret" not in str(plan.resources[0].changes)
    assert "KEY" in str(plan.resources[0].changes)


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_volume_is_relabelled_where_that_is_asked_for(engine: str) -> None:
    """Without it, a container of a host with SELinux cannot read what is mounted."""
    host = ContainerHost(engine)
    fields: dict[str, Json] = {"volumes": ["/srv/a:/a:Z", "/srv/b:/b:ro,z", "/srv/c:/c:rw"]}
    outcome = apply(host, item(**fields))
    assert outcome.result.status == "succeeded", outcome.result
    made = next(call for call in host.programs.calls if " run " in call)
    for word in ("--volume=/srv/a:/a:Z ", "--volume=/srv/b:/b:ro,z ", "--volume=/srv/c:/c "):
        assert word in made
    assert due(host, **fields) == ("none", [])
    assert due(host, volumes=["/srv/a:/a", "/srv/b:/b:ro", "/srv/c:/c"]) == ("update", ["spec"])


@pytest.mark.parametrize("option", ["rshared", "nocopy", "ro,rw", "", "Z,z"])
def test_an_option_of_a_volume_that_would_be_left_out_is_refused(option: str) -> None:
    assert [each.field for each in KIND.validate(spec(volumes=[f"/a:/b:{option}"]))] == ["volumes"]


def test_a_plan_does_not_show_a_digest_of_variables() -> None:
    """Whoever reads it could try passwords until he has the one that makes that digest."""
    host = ContainerHost()
    apply(host, item(env={"KEY": "hunter2", "OTHER": "1"}))
    seen = KIND.observe(spec(), host, verify=False).found
    assert seen is not None
    assert seen.label
    found = make_plan("n", [item(env={"KEY": "hunter2"})], Snapshot(), host).resources[0]
    assert [change.field for change in found.changes] == ["spec"]
    assert seen.label[:8] not in str(found.changes)
