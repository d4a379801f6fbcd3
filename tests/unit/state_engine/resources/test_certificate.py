"""The kind certificate."""

from __future__ import annotations

import msgspec
import pytest

from protocol.canonical import Json, encode
from protocol.reports import Action
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import ApplyOutcome
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.certificate import Certificate
from state_engine.resources.parts import certificates
from state_engine.resources.parts.certificates import DAY
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

KIND = Certificate()
CERTIFICATE, KEY = "/s/x.crt", "/s/x.key"


def spec(**fields: Json) -> dict[str, Json]:
    base: dict[str, Json] = {"path": CERTIFICATE, "key": KEY, "names": ["x.example.org"]}
    return {**base, "key_type": "ed25519", **fields}


def world() -> FakePorts:
    ports = FakePorts()
    ports.now = 1.8e9
    ports.files.put("/s", Node("directory", 0o755, 0, 0))
    return ports


def item(**fields: Json) -> ResolvedResource:
    return resource("certificate", CERTIFICATE, spec(**fields))


def apply(
    ports: FakePorts, *items: ResolvedResource, before: Snapshot | None = None
) -> ApplyOutcome:
    return apply_plan("op", "n", items, before or Snapshot(), ports, approved=None)


def due(ports: FakePorts, **fields: Json) -> tuple[Action, list[str]]:
    found = make_plan("n", [item(**fields)], Snapshot(), ports).resources[0]
    return found.action, [change.field for change in found.changes]


def facts(ports: FakePorts) -> certificates.Facts:
    found = certificates.read(ports.files.read(CERTIFICATE, 9999))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"path": "x"}, "path"),
        ({"key": CERTIFICATE}, "key"),
        ({"names": ["a b"]}, "names"),
        ({"names": ["IP:1.2.3"]}, "names"),
        ({"names": []}, "names"),
        ({"subject": {"XX": "y"}}, "subject"),
        ({"subject": {"C": "Europe"}}, "subject"),
        ({"key_mode": "0644"}, "key_mode"),
        ({"key_mode": "9"}, "key_mode"),
        ({"days": 10, "renew_before": 10}, "renew_before"),
        ({"type": "request", "days": 10}, "days"),
        ({"owner": "a b"}, "owner"),
    ],
)
def test_what_is_refused(fields: dict[str, Json], wrong: str) -> None:
    """With the field that is wrong."""
    assert [problem.field for problem in KIND.validate(spec(**fields))] == [wrong]


@pytest.mark.parametrize("kind", ["self-signed", "request"])
@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_it_is_made_once_and_then_there_is_nothing_to_do(kind: str, key_type: str) -> None:
    """Of every type; the key is its owner's alone, and no plan, result or record holds it."""
    ports = world()
    wish = item(type=kind, key_type=key_type, subject={"CN": "x", "O": "Example"})
    plan = make_plan("n", [wish], Snapshot(), ports)
    outcome = apply(ports, wish)
    assert outcome.result.status == "succeeded", outcome.result
    assert make_plan("n", [wish], outcome.snapshot, ports).summary.none == 1
    stat = ports.files.stat(KEY)
    assert stat is not None
    assert stat.mode == 0o600
    secret = ports.files.read(KEY, 9999).splitlines()[1]
    told = b"".join(map(msgspec.json.encode, (plan, outcome.result, outcome.snapshot)))
    assert secret not in told
    assert facts(ports).subject == (("CN", "x"), ("O", "Example"))
    assert facts(ports).request == (kind == "request")


def test_each_difference_is_named_and_the_key_stays() -> None:
    """All but a change of the key's type go with the key that is there."""
    ports = world()
    apply(ports, item())
    key = ports.files.read(KEY, 9999)
    for fields, changed in (
        ({"names": ["y.example.org", "192.0.2.1"]}, ["names"]),
        ({"subject": {"CN": "y"}, "names": []}, ["subject", "names"]),
        ({"days": 100}, ["subject", "names", "days"]),
    ):
        wish: dict[str, Json] = {**fields}  # type: ignore[dict-item]
        assert due(ports, **wish) == ("update", changed)
        assert apply(ports, item(**wish)).result.status == "succeeded"
        assert due(ports, **wish) == ("none", [])
        assert ports.files.read(KEY, 9999) == key
    assert due(ports, key_type="ecdsa-p256", days=100) == ("update", ["key_type"])
    assert apply(ports, item(key_type="ecdsa-p256", days=100)).result.status == "succeeded"
    assert ports.files.read(KEY, 9999) != key
    assert key in ports.backups.kept.values()


def test_it_is_renewed_in_time() -> None:
    """Not a day before, and it shows as drift when the day has come."""
    ports = world()
    first = apply(ports, item(days=90, renew_before=20))
    ports.now += 69 * DAY
    assert due(ports, days=90, renew_before=20) == ("none", [])
    ports.now += 1 * DAY
    (drift,) = find_drift(first.snapshot, ports)
    assert [change.field for change in drift.changes] == ["renew_before"]
    apply(ports, item(days=90, renew_before=20))
    assert facts(ports).start > 1.8e9 + 69 * DAY
    assert due(ports, days=90, renew_before=20) == ("none", [])


def test_a_key_that_does_not_fit_or_is_gone_brings_another_certificate() -> None:
    """A key that cannot be read is never replaced: it may be all that opens something."""
    ports = world()
    apply(ports, item())
    ports.files.put(KEY, Node("file", 0o600, 0, 0, certificates.make_key("ed25519")))
    assert due(ports) == ("update", ["key"])
    apply(ports, item())
    assert due(ports) == ("none", [])
    ports.files.remove(KEY)
    assert due(ports) == ("update", ["key"])
    ports.files.put(KEY, Node("file", 0o600, 0, 0, b"not a key"))
    assert due(ports)[0] == "error"
    assert apply(ports, item()).result.status == "failed"
    assert ports.files.read(KEY, 99) == b"not a key"


def test_a_certificate_of_somebody_else_is_replaced_visibly_and_kept() -> None:
    """Text that is none, too; the old file is among the copies."""
    ports = world()
    ports.files.put(CERTIFICATE, Node("file", 0o640, 0, 0, b"text"))
    assert due(ports) == ("update", ["certificate"])
    apply(ports, item())
    assert b"text" in ports.backups.kept.values()
    stat = ports.files.stat(CERTIFICATE)
    assert stat is not None
    assert stat.mode == 0o640


def test_owner_group_and_modes_are_kept_without_a_new_certificate() -> None:
    """A key that others may read is drift."""
    ports = world()
    first = apply(ports, item(owner="app", mode="0640"))
    before = facts(ports).fingerprint
    ports.files.nodes[KEY].mode = 0o644
    ports.files.nodes[CERTIFICATE].uid = 0
    (drift,) = find_drift(first.snapshot, ports)
    assert [change.field for change in drift.changes] == ["owner", "key_mode"]
    assert apply(ports, item(owner="app", mode="0640")).result.status == "succeeded"
    assert find_drift(first.snapshot, ports) == ()
    assert facts(ports).fingerprint == before


@pytest.mark.parametrize(("on_remove", "keys"), [("undo", 1), ("delete", 0), ("keep", 1)])
def test_removal_keeps_the_key_unless_it_is_told_otherwise(on_remove: str, keys: int) -> None:
    """The certificate goes if we made it."""
    ports = world()
    wish = msgspec.structs.replace(item(), on_remove=on_remove)
    first = apply(ports, wish)
    apply(ports, before=first.snapshot)
    assert (ports.files.stat(KEY) is not None) == bool(keys)
    assert (ports.files.stat(CERTIFICATE) is not None) == (on_remove == "keep")


def test_an_absent_certificate_leaves_its_key() -> None:
    """And a copy of itself."""
    ports = world()
    apply(ports, item())
    assert due(ports, ensure="absent") == ("update", ["ensure"])
    apply(ports, item(ensure="absent"))
    assert due(ports, ensure="absent") == ("none", [])
    assert ports.files.stat(KEY) is not None


def test_what_a_decision_binds_does_not_change_by_itself() -> None:
    """A day later, with nothing due, it is the same."""
    ports = world()
    apply(ports, item())
    states = []
    for _ in range(2):
        states.append(encode(KIND.observe(spec(), ports, verify=False).state()))
        ports.now += DAY
    assert states[0] == states[1]


def test_an_owner_may_be_a_number() -> None:
    """Which names the same user as the name that the host has for it."""
    ports = world()
    numbered = item(owner="1000", group="1000")
    outcome = apply(ports, numbered)
    assert outcome.result.status == "succeeded", outcome.result
    assert make_plan("n", [numbered], outcome.snapshot, ports).summary.none == 1


def test_what_became_of_our_certificate_is_kept_as_a_copy_when_it_goes() -> None:
    """Somebody may have had it signed, or put another one there."""
    ports = world()
    outcome = apply(ports, item())
    ports.files.put(CERTIFICATE, Node("file", 0o644, 0, 0, b"signed elsewhere"))
    apply(ports, before=outcome.snapshot)
    assert ports.files.stat(CERTIFICATE) is None
    assert b"signed elsewhere" in ports.backups.kept.values()
