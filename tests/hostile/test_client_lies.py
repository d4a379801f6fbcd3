"""A coordinator that lies to the operator's client: nothing false is ever signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from protocol import api, decisions, enrolment, reports
from protocol.keys import SigningKey
from tests.fakes.api_server import FakeCoordinator, Reply, item, plan_of
from tests.fakes.operator import Person

pytestmark = pytest.mark.hostile
APPLY = "state apply web --module web --yes"


@pytest.fixture
def coordinator() -> Iterator[FakeCoordinator]:
    made = FakeCoordinator()
    with made.running():
        yield made


@pytest.fixture
def lena(tmp_path: Path, coordinator: FakeCoordinator) -> Person:
    person = Person(tmp_path / "config")
    person.founds(coordinator.url)
    return person


def rehash(run: api.Run, plans: dict[str, str]) -> api.Run:
    """Return the run with root and hash over other plans, as a consistent liar would."""
    root, _ = decisions.plan_tree(plans)
    action = decisions.apply_action(root, run.removal_limit)
    digest = decisions.canonical_hash(action)
    steps = tuple(
        msgspec.structs.replace(run.steps[0], node_id=node, plan_digest=plan)
        for node, plan in sorted(plans.items())
    )
    return msgspec.structs.replace(run, plan_root=root, action_hash=digest, steps=steps)


def swap_plan(run: api.Run) -> api.Run:
    """Another plan for the same host, everything else consistent."""
    node = run.steps[0].node_id
    return rehash(run, {node: plan_of(node, item("/etc/shadow")).digest})


def swap_plan_quietly(run: api.Run) -> api.Run:
    """The same, with the step's own digest left out."""
    bent = swap_plan(run)
    steps = tuple(msgspec.structs.replace(step, plan_digest="") for step in bent.steps)
    return msgspec.structs.replace(bent, steps=steps)


def add_node(run: api.Run) -> api.Run:
    """One host more than was shown."""
    plans = {step.node_id: step.plan_digest for step in run.steps}
    other = "00000000-0000-8000-8000-000000000000"
    return rehash(run, {**plans, other: next(iter(plans.values()))})


def swap_node(run: api.Run) -> api.Run:
    """The plan of the host shown, for another host."""
    return rehash(run, {"00000000-0000-8000-8000-000000000000": run.steps[0].plan_digest})


def repeat_node(run: api.Run) -> api.Run:
    """The host shown, twice."""
    return msgspec.structs.replace(run, steps=(run.steps[0], run.steps[0]))


def raise_limit(run: api.Run) -> api.Run:
    """A guard of 99 removals, with the hash that belongs to it."""
    action = decisions.apply_action(run.plan_root or "", 99)
    digest = decisions.canonical_hash(action)
    return msgspec.structs.replace(run, removal_limit=99, action_hash=digest)


def raise_limit_quietly(run: api.Run) -> api.Run:
    """The hash of a higher guard under the number that was asked for."""
    action = decisions.apply_action(run.plan_root or "", 99)
    return msgspec.structs.replace(run, action_hash=decisions.canonical_hash(action))


def lie_about_hash(run: api.Run) -> api.Run:
    """Any other hash."""
    return msgspec.structs.replace(run, action_hash="f" * 64)


def other_scope(run: api.Run) -> api.Run:
    """A scope with a lower epoch."""
    return msgspec.structs.replace(run, scope="other/other/other")


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (swap_plan, "run_changed"),
        (swap_plan_quietly, "action_hash_wrong"),
        (add_node, "node_added"),
        (swap_node, "node_added"),
        (repeat_node, "run_changed"),
        (raise_limit, "removal_limit_changed"),
        (raise_limit_quietly, "action_hash_wrong"),
        (lie_about_hash, "action_hash_wrong"),
        (other_scope, "run_changed"),
    ],
)
def test_a_run_other_than_the_one_shown_is_not_signed(
    lena: Person, coordinator: FakeCoordinator, lie: Callable[[api.Run], api.Run], code: str
) -> None:
    """Whatever differs between the plan on the screen and the run to sign stops the signature."""
    coordinator.add_host("web", item("/etc/a"))
    coordinator.bend = lambda run: lie(run) if run.step == "state.apply" else run
    shown = lena.types(f"{APPLY} --json")
    assert shown.code == 3, shown
    assert f'"code": "{code}"' in shown.err
    assert "nothing was signed" in shown.err
    assert not coordinator.decisions
    waiting = next(r.run_id for r in coordinator.runs.values() if r.step == "state.apply")
    again = lena.types(f"approve {waiting} --yes")
    assert again.code == 3, again
    assert not coordinator.decisions


def test_a_host_with_changes_cannot_be_left_out(lena: Person, coordinator: FakeCoordinator) -> None:
    """The operator who saw two hosts does not sign for one of them alone."""
    coordinator.add_host("web", item("/etc/a"))
    coordinator.add_host("db", item("/etc/a"))

    def drop(run: api.Run) -> api.Run:
        if run.step != "state.apply":
            return run
        kept = run.steps[0]
        return rehash(run, {kept.node_id: kept.plan_digest})

    coordinator.bend = drop
    shown = lena.types("state apply web db --yes --json")
    assert shown.code == 3
    assert "node_lost" in shown.err
    assert not coordinator.decisions


def lie_in_action(plan: reports.PlanResult) -> reports.PlanResult:
    """Show an update where the digest binds a removal."""
    bound = item("/etc/a", "remove")
    shown = msgspec.structs.replace(bound, action="update")
    return msgspec.structs.replace(plan, resources=(shown,), digest=reports.plan_digest((bound,)))


def lie_in_unbound(plan: reports.PlanResult) -> reports.PlanResult:
    """Hide a removal behind a resource that is said to stay."""
    hidden = msgspec.structs.replace(item("/etc/b", "remove"), action="none")
    resources = (*plan.resources, hidden)
    return msgspec.structs.replace(plan, resources=resources, digest=reports.plan_digest(resources))


def lie_in_total(plan: reports.PlanResult) -> reports.PlanResult:
    """Claim the digest of a longer plan."""
    longer = (*plan.resources, item("/etc/b", "remove"))
    return msgspec.structs.replace(plan, digest=reports.plan_digest(longer))


def lie_in_host(plan: reports.PlanResult) -> reports.PlanResult:
    """Show the plan of another host."""
    return msgspec.structs.replace(plan, node_id="00000000-0000-8000-8000-000000000000")


@pytest.mark.parametrize("lie", [lie_in_action, lie_in_unbound, lie_in_total, lie_in_host])
def test_a_plan_whose_digests_do_not_follow_from_it_is_not_even_shown(
    lena: Person,
    coordinator: FakeCoordinator,
    lie: Callable[[reports.PlanResult], reports.PlanResult],
) -> None:
    """What is on the screen is what the digests bind, even if the host itself signed a lie."""
    node = coordinator.add_host("web", item("/etc/a"))
    coordinator.plans[node] = lie(coordinator.plans[node])
    shown = lena.types(APPLY)
    assert shown.code == 3, shown
    assert not shown.out
    assert not coordinator.decisions


def bent_step(coordinator: FakeCoordinator, **changes: object) -> None:
    """Change the one step of every plan run."""

    def bend(run: api.Run) -> api.Run:
        if run.step != "state.plan":
            return run
        return msgspec.structs.replace(
            run, steps=(msgspec.structs.replace(run.steps[0], **changes),)
        )

    coordinator.bend = bend


def test_a_plan_that_stands_in_the_run_is_not_believed(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """Only the bytes that the host signed are shown; a friendlier text beside them is not."""
    node = coordinator.add_host("web", item("/etc/shadow"))
    friendly: object = msgspec.to_builtins(plan_of(node, item("/etc/motd")))
    bent_step(coordinator, result=friendly)
    shown = lena.types("state plan web")
    assert shown.code == 0, shown
    assert "/etc/shadow" in shown.out
    assert "/etc/motd" not in shown.out


def test_a_plan_without_the_hosts_signature_is_refused(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The text of a diff is bound by the host's signature alone, so there is none without it."""
    coordinator.add_host("web", item("/etc/a"))
    bent_step(coordinator, receipt=None)
    shown = lena.types(f"{APPLY} --json")
    assert (shown.code, "receipt_missing" in shown.err) == (3, True), shown
    assert not coordinator.decisions


def test_a_receipt_of_another_run_or_host_is_refused(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """An older plan of the host, or another host's, does not pass for this one."""
    web = coordinator.add_host("web", item("/etc/a"))
    other = coordinator.add_host("db", item("/etc/b"))
    for receipt in (coordinator.signed_by(web, "01OLD"), coordinator.signed_by(other, "01OLD")):
        bent_step(coordinator, receipt=receipt)
        shown = lena.types(f"{APPLY} --json")
        assert (shown.code, "receipt_invalid" in shown.err) == (3, True), shown
    assert not coordinator.decisions


def test_an_artifact_with_other_bytes_is_refused(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """An artifact is named by its content; other content under the name is no artifact."""
    node = coordinator.add_host("web", item("/etc/a"))
    honest = msgspec.json.encode(coordinator.plans[node])
    named = reports.content_digest(honest)
    coordinator.bend = lambda run: _replaced(coordinator, named, run)
    shown = lena.types("state plan web --json")
    assert shown.code == 1
    assert "artifact_changed" in shown.err


def _replaced(coordinator: FakeCoordinator, named: str, run: api.Run) -> api.Run:
    coordinator.on("GET", f"/artifacts/{named}", Reply(raw=b"{}"))
    return run


def test_a_rolled_back_roster_stops_every_signature(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """Who was removed does not come back with an old database."""
    coordinator.add_host("web", item("/etc/a"))
    other = SigningKey.generate().public.hex()
    assert lena.types(f"operator add {other} --username omar").code == 0
    coordinator.chain.pop()
    shown = lena.types(f"{APPLY} --json")
    assert shown.code == 3, shown
    assert "roster_rollback" in shown.err
    assert not coordinator.decisions


def test_a_vanished_roster_is_a_rollback_too(lena: Person, coordinator: FakeCoordinator) -> None:
    """An empty coordinator is not given the roster again as if it were new."""
    assert lena.types("operator list").code == 0
    coordinator.chain.clear()
    shown = lena.types("operator list --json")
    assert shown.code == 3, shown
    assert "roster_rollback" in shown.err
    assert coordinator.chain == []


def test_a_forked_roster_is_refused(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    """A roster of somebody else under the same version number is no roster of ours."""
    assert lena.types("operator list").code == 0
    mallory = Person(tmp_path / "mallory")
    assert mallory.types("operator init --username lena").code == 0
    data = (mallory.directory / "roster.json").read_bytes()
    coordinator.chain[:] = [msgspec.json.decode(data, type=type(coordinator.chain[0]))]
    shown = lena.types("operator list --json")
    assert shown.code == 3, shown
    assert "roster_fork" in shown.err


def test_a_foreign_roster_is_not_taken_at_first_contact(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    """Before the first signature somebody must vouch for the roster; a script cannot."""
    mallory = Person(tmp_path / "mallory")
    mallory.founds(coordinator.url)
    assert mallory.types("operator list").code == 0
    coordinator.add_host("web", item("/etc/a"))
    shown = lena.types(f"{APPLY} --json")
    assert shown.code == 2, shown
    assert "roster_unpinned" in shown.err
    assert not coordinator.decisions


def test_a_claimed_version_that_cannot_be_shown_is_refused(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A coordinator that holds back the newest roster is not believed about it."""
    assert lena.types("operator list").code == 0
    held = coordinator.trusted()
    lie = api.RosterResponse(held.roster.version + 1, "b" * 64, ())
    coordinator.on("GET", "/roster", Reply(lie))
    shown = lena.types("operator list --json")
    assert shown.code == 3, shown
    assert "roster_withheld" in shown.err


def test_another_coordinator_key_is_not_given_a_log_in(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A challenge under another key is not signed: it could be passed on."""
    assert lena.types("operator list").code == 0
    (lena.directory / "tokens" / "lab.json").unlink()
    coordinator.identity = SigningKey(b"\x08" * 32)
    before = len(coordinator.sent("POST", "/auth/verify"))
    shown = lena.types("agents list --json")
    assert shown.code == 3, shown
    assert "coordinator_key_changed" in shown.err
    assert len(coordinator.sent("POST", "/auth/verify")) == before


def test_a_challenge_for_later_is_not_signed(lena: Person, coordinator: FakeCoordinator) -> None:
    """A log-in that could be used next year is not given."""
    key = coordinator.identity.public.hex()
    late = api.ChallengeResponse("aa" * 32, "c1", key, 4_000_000_000)
    coordinator.on("POST", "/auth/challenge", Reply(late))
    shown = lena.types("agents list --json")
    assert shown.code == 3, shown
    assert "challenge_too_long" in shown.err


@pytest.mark.parametrize("field", ["coordinator_key", "roster"])
def test_an_enrolment_key_that_leads_elsewhere_is_not_handed_on(
    lena: Person, coordinator: FakeCoordinator, field: str
) -> None:
    """New hosts learn whom to trust from this string, so it is held against our own pins."""
    assert lena.types("operator list").code == 0
    good = enrolment.EnrolmentKey(
        (coordinator.url,),
        coordinator.identity.public.hex(),
        "",
        coordinator.trusted().digest,
        "default",
        enrolment.secret_text(b"\x01" * 32),
    )
    for key, code in ((good, 0), (msgspec.structs.replace(good, **{field: "c" * 64}), 3)):
        text = enrolment.encode(key)
        moment = "2026-01-01T00:00:00Z"
        info = api.EnrolmentKeyInfo("k1", "default", None, 1, None, None, moment, moment, key=text)
        reply = Reply({"data": info, "meta": {}}, 201)
        coordinator.on("POST", "/clusters/default/enrollment_keys", reply)
        shown = lena.types("enrol-key create")
        assert shown.code == code, shown
        assert (text in shown.out) == (code == 0)
