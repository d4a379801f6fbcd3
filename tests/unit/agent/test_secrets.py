"""Secrets on a host: only what operators signed, only forwards, never in the clear on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.core import Core
from agent.trust import Pins
from protocol import ids, keys
from protocol.messages import Welcome
from protocol.reasons import Reason, Refused
from protocol.secrets import Restriction, SealedSecret
from state_engine.model import AppliedResource, Snapshot
from state_engine.ports import PortError
from state_engine.references import SecretValue, Unavailable
from tests.fakes.agent import NOW, Clock, make_core
from tests.fakes.operators import SCOPE, Operator, first_roster, roster_digest
from tests.fakes.resources import a_file
from tests.fakes.sealed import sealed

ADA = Operator()
VALUE = "correct horse battery"


@pytest.fixture
def core(tmp_path: Path) -> Core:
    made = make_core(tmp_path / "state", Clock())
    roster = first_roster(ADA)
    made.trust.enrol(Pins(("wss://x",), b"k" * 32, "", roster_digest(roster)))
    made.trust.welcome(Welcome(made.identity.node_id, "approved", 0, 1, 0.0, SCOPE))
    assert not isinstance(made.trust.take_roster((roster,), NOW), Refused)
    return made


def offered(core: Core, value: str = VALUE, **parts: object) -> SealedSecret:
    """A secret `db` sealed to the core's host by ada, with some parts as a test wants them."""
    given = {"signer": ADA.key, **parts}
    return sealed("db", value, core.identity.node_id, core.identity.sealing_public, **given)  # type: ignore[arg-type]


def reason(found: object) -> Reason | None:
    return found.reason if isinstance(found, Refused) else None


def test_a_secret_is_opened_and_stays_sealed_on_disk(core: Core, tmp_path: Path) -> None:
    """What modules are resolved with is the value; the database holds what came over the link."""
    found = core.secrets.take((offered(core),))
    assert not isinstance(found, Refused)
    opened = found["db"]
    assert isinstance(opened, SecretValue)
    assert opened.value == VALUE
    assert core.secrets.reveal("db", 1) == VALUE
    core.database.close()
    for path in (tmp_path / "state").iterdir():
        assert VALUE.encode() not in path.read_bytes()


def test_the_reference_is_what_the_engine_expects(core: Core) -> None:
    """The engine makes the fingerprint with its ports, the agent without: it is one."""
    from state_engine.engine.secrets import value_of

    found = core.secrets.take((offered(core),))
    assert not isinstance(found, Refused)
    opened = found["db"]
    assert isinstance(opened, SecretValue)
    assert value_of(opened.reference, core.steps.engine.ports) == VALUE


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda c: offered(c, signer=keys.SigningKey.generate()), Reason.SECRET_INVALID),
        (lambda c: offered(c, scope="other/other/other"), Reason.SECRET_INVALID),
        (
            lambda c: offered(c, restriction=Restriction("", (ids.node_id(b"x" * 32),))),
            Reason.SECRET_FORBIDDEN,
        ),
        (lambda c: offered(c, restriction=Restriction("role=db")), Reason.SECRET_FORBIDDEN),
        (
            lambda c: msgspec.structs.replace(offered(c), ciphertext=offered(c).ciphertext),
            Reason.SECRET_INVALID,
        ),
        (
            lambda c: msgspec.structs.replace(offered(c), envelope=offered(c, version=2).envelope),
            Reason.SECRET_INVALID,
        ),
    ],
)
def test_what_operators_did_not_sign_for_this_host_is_refused(
    core: Core, spoil: Callable[[Core], SealedSecret], expected: Reason
) -> None:
    """Another signer, scope or host, tags that nobody signed, other bytes, another version."""
    assert reason(core.secrets.take((spoil(core),))) is expected
    assert not core.secrets.any()


def test_an_older_version_is_never_taken_again(core: Core) -> None:
    """A coordinator that was set back cannot bring back a password that leaked."""
    old = offered(core)
    assert reason(core.secrets.take((offered(core, version=2),))) is None
    assert reason(core.secrets.take((old,))) is Reason.SECRET_ROLLBACK
    assert reason(core.secrets.take((offered(core, version=2),))) is Reason.SECRET_INVALID


def test_an_older_restriction_of_the_same_value_is_not_taken_again(core: Core) -> None:
    """Revisions only rise too; nothing of an offer is stored if one part of it is refused."""
    import protocol.secrets as protocol_secrets

    first = offered(core)
    document = protocol_secrets.decode(first.envelope)
    later = protocol_secrets.sign(msgspec.structs.replace(document, revision=2), ADA.key)
    assert reason(core.secrets.take((msgspec.structs.replace(first, envelope=later),))) is None
    assert reason(core.secrets.take((first,))) is Reason.SECRET_ROLLBACK


def test_an_expired_secret_cannot_be_had_and_says_so(core: Core) -> None:
    """It is no attack, so the step goes on to say which secret it is."""
    found = core.secrets.take((offered(core, expires_at=int(NOW)),))
    assert not isinstance(found, Refused)
    gone = found["db"]
    assert isinstance(gone, Unavailable)
    assert "expired at 2027-01-15" in gone.message


def test_a_key_wrapped_for_somebody_else_says_what_helps(core: Core) -> None:
    """The host was installed anew, say: reseal."""
    other = sealed("db", VALUE, core.identity.node_id, sealed_key(), signer=ADA.key)
    found = core.secrets.take((other,))
    assert not isinstance(found, Refused)
    gone = found["db"]
    assert isinstance(gone, Unavailable)
    assert gone.hint == "standfast secrets reseal db"
    with pytest.raises(PortError, match="not sealed to this key"):
        core.secrets.reveal("db", 1)


def sealed_key() -> bytes:
    from protocol.sealing import SealingKey

    return SealingKey(b"\x07" * 32).public


def test_versions_that_nothing_refers_to_are_destroyed(core: Core) -> None:
    """The newest stays, and what was applied can be looked at for drift."""
    references = []
    for version in (1, 2, 3):
        found = core.secrets.take((offered(core, f"{VALUE} {version}", version=version),))
        assert not isinstance(found, Refused)
        opened = found["db"]
        assert isinstance(opened, SecretValue)
        references.append(opened.reference)
    held = a_file("/f", str(references[1]), sensitive=("content",))
    snapshot = Snapshot(applied=(AppliedResource(held),))
    core.database.write(lambda tx: core.secrets.prune(tx, snapshot))
    assert core.secrets.reveal("db", 2) == f"{VALUE} 2"
    assert core.secrets.reveal("db", 3) == f"{VALUE} 3"
    with pytest.raises(PortError):
        core.secrets.reveal("db", 1)


def test_more_secrets_than_an_offer_may_carry_are_refused(core: Core) -> None:
    """And without a roster none is taken."""
    assert reason(core.secrets.take((offered(core),) * 65)) is Reason.SECRET_INVALID


def test_drift_of_a_file_with_a_secret_is_seen_without_the_coordinator(
    core: Core, tmp_path: Path
) -> None:
    """The sealed bytes are here; what is said of the drift holds no value."""
    found = core.secrets.take((offered(core),))
    assert not isinstance(found, Refused)
    opened = found["db"]
    assert isinstance(opened, SecretValue)
    target = tmp_path / "app.conf"
    target.write_text(f"key={VALUE}\n", encoding="utf-8")
    text = f"key={opened.reference}\n"
    held = a_file(str(target), text, sensitive=("content",))
    snapshot = Snapshot(applied=(AppliedResource(held),))
    engine = core.steps.engine
    assert engine.look(snapshot, None, lambda: False) == ()
    target.write_text(f"key={VALUE}\nkey2={VALUE}\n", encoding="utf-8")
    (item,) = engine.look(snapshot, None, lambda: False)
    assert item.action == "update"
    assert VALUE not in str(item)
