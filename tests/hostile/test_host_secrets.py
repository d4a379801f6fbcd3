"""A stolen coordinator against the secrets of a host: it can withhold them, and nothing else.

It holds every sealed byte that was ever brought to it, and an operator's documents about them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.core import Core
from agent.trust import Pins
from protocol import dsse, ids, keys, messages, secrets
from protocol.messages import Finished, Offer, RefusedStep, Welcome
from protocol.reasons import Reason, Refused
from protocol.roster import Grant, Roster, decode, encode
from protocol.secrets import Restriction, SealedSecret
from tests.fakes.agent import NOW, Clock, make_core
from tests.fakes.operators import SCOPE, Operator, first_roster, module, roster_digest
from tests.fakes.sealed import sealed

pytestmark = pytest.mark.hostile
ADA, VIC = Operator(), Operator(username="vic", role="viewer")
# Operators whom the roster lets decide on other hosts, or on other things.
NARROW = {
    "elsewhere": Grant(scopes=("default/default/dev",)),
    "hosts": Grant(selector="role=web"),
    "else": Grant(capabilities=("command.run",)),
}
BOBS = {name: Operator(username=f"bob-{name}", role="operator") for name in NARROW}
COORDINATOR = Operator(keys.SigningKey.generate(), "machine", "automation")
VALUE, OLD = "correct horse battery", "leaked last year"
Lie = Callable[[Core], tuple[SealedSecret, ...]]


def founded() -> dsse.Envelope:
    """The first roster, with grants for those who have but some."""
    plain = decode(first_roster(ADA, VIC, COORDINATOR, *BOBS.values()))
    assert isinstance(plain, Roster)
    limits = {BOBS[name].id: (grant,) for name, grant in NARROW.items()}
    people = tuple(
        msgspec.structs.replace(one, grants=limits.get(one.operator_id, ()))
        for one in plain.operators
    )
    content = encode(msgspec.structs.replace(plain, operators=people))
    return dsse.sign(dsse.ROSTER, content, ADA.key, ADA.id)


@pytest.fixture
def core(tmp_path: Path) -> Core:
    """A host that has seen version 2 of the secret `db`."""
    made = make_core(tmp_path / "state", Clock())
    roster = founded()
    made.trust.enrol(Pins(("wss://x",), COORDINATOR.key.public, "", roster_digest(roster)))
    made.trust.welcome(Welcome(made.identity.node_id, "approved", 0, 1, 0.0, SCOPE))
    assert not isinstance(made.trust.take_roster((roster,), NOW), Refused)
    assert not isinstance(made.secrets.take((of(made, version=2),)), Refused)
    return made


def of(core: Core, value: str = VALUE, **parts: object) -> SealedSecret:
    """The secret `db`, sealed to the host by Ada, with parts as a test wants them."""
    given = {"signer": ADA.key, **parts}
    name = str(given.pop("name", "db"))
    return sealed(name, value, core.identity.node_id, core.identity.sealing_public, **given)  # type: ignore[arg-type]


def mixed(core: Core) -> SealedSecret:
    """The signed document of one secret over the sealed bytes of another."""
    return msgspec.structs.replace(of(core, version=3), ciphertext=of(core, OLD).ciphertext)


def renamed(core: Core) -> SealedSecret:
    """Everything of another secret of the same operator, so that its value lands under `db`."""
    other = of(core, OLD, name="other", version=3)
    document = msgspec.structs.replace(secrets.decode(other.envelope), name="db")
    return msgspec.structs.replace(other, envelope=secrets.sign(document, COORDINATOR.key))


ATTACKS: dict[str, tuple[Lie, Reason]] = {
    "a value of the coordinator's own, signed by its key in the roster": (
        lambda core: (of(core, OLD, version=3, signer=COORDINATOR.key),),
        Reason.SECRET_INVALID,
    ),
    "a value signed by a viewer": (
        lambda core: (of(core, OLD, version=3, signer=VIC.key),),
        Reason.SECRET_INVALID,
    ),
    "a value signed by nobody in the roster": (
        lambda core: (of(core, OLD, version=3, signer=keys.SigningKey.generate()),),
        Reason.SECRET_INVALID,
    ),
    "the password that leaked: an older version": (
        lambda core: (of(core, OLD, version=1),),
        Reason.SECRET_ROLLBACK,
    ),
    "another value under a version that was seen": (
        lambda core: (of(core, OLD, version=2),),
        Reason.SECRET_INVALID,
    ),
    "the signed document over other sealed bytes": (
        lambda core: (mixed(core),),
        Reason.SECRET_INVALID,
    ),
    "another secret's bytes under this name": (
        lambda core: (renamed(core),),
        Reason.SECRET_INVALID,
    ),
    "a secret of another scope": (
        lambda core: (of(core, version=3, scope="other/other/other"),),
        Reason.SECRET_INVALID,
    ),
    "a secret that is restricted to another host": (
        lambda core: (of(core, version=3, restriction=Restriction("", (ids.node_id(b"x" * 32),))),),
        Reason.SECRET_FORBIDDEN,
    ),
    "a secret for tags that only the coordinator says the host has": (
        lambda core: (of(core, version=3, restriction=Restriction("role=db")),),
        Reason.SECRET_FORBIDDEN,
    ),
    "a value of an operator of another scope": (
        lambda core: (of(core, OLD, version=3, signer=BOBS["elsewhere"].key),),
        Reason.GRANT_MISSING,
    ),
    "a value of an operator of other hosts": (
        lambda core: (of(core, OLD, version=3, signer=BOBS["hosts"].key),),
        Reason.GRANT_MISSING,
    ),
    "a value of an operator who may do something else": (
        lambda core: (of(core, OLD, version=3, signer=BOBS["else"].key),),
        Reason.GRANT_MISSING,
    ),
    "a secret for what is not tagged, on a host of which nothing is signed": (
        lambda core: (of(core, version=3, restriction=Restriction("!prod")),),
        Reason.SECRET_FORBIDDEN,
    ),
    "a newer version, and an older one after it": (
        lambda core: (of(core, version=9), of(core, OLD, version=3)),
        Reason.SECRET_INVALID,
    ),
    "more secrets than a step may carry": (
        lambda core: (of(core, version=3),) * 65,
        Reason.SECRET_INVALID,
    ),
    "one good secret before a bad one": (
        lambda core: (of(core, name="good"), of(core, OLD, version=1)),
        Reason.SECRET_ROLLBACK,
    ),
}


def offer(target: Path, offered: tuple[SealedSecret, ...]) -> Offer:
    """A plan of a file that holds the secret."""
    text = (
        "name: m\nsupports: [{platform: linux}]\nresources:\n"
        f"  - resource: {{file-unix: {{path: {target}, mode: '0600',"
        " content: '${{ secrets.db }}'}}\n"
    )
    modules = (module("m", text.encode(), ADA),)
    return Offer("run", "state.plan", "lease", 1, "op", modules, secrets=offered)


async def last(core: Core) -> object:
    """Do the step that is waiting and return what was journalled of it last."""
    assert await core.steps.run_next()
    return messages.decode_body(core.journal.after(0)[-1])


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_step_with_a_secret_that_is_not_as_signed_is_refused(
    core: Core, tmp_path: Path, attack: str
) -> None:
    """Nothing of it is done or stored, and the code says which lie it was."""
    lie, reason = ATTACKS[attack]
    core.admission.consider(offer(tmp_path / "target", lie(core)))
    ended = await last(core)
    assert isinstance(ended, RefusedStep)
    assert ended.reason == reason.value
    assert OLD not in str(ended)
    rows = core.database.read(lambda tx: tx.execute("SELECT name, version FROM secrets").fetchall())
    assert rows == [("db", 2)]


async def test_a_withheld_secret_is_told_and_stands_for_nothing(core: Core, tmp_path: Path) -> None:
    """Not an empty text, nor the version that the host has kept: the step says what is missing."""
    core.admission.consider(offer(tmp_path / "target", ()))
    ended = await last(core)
    assert isinstance(ended, RefusedStep)
    assert ended.reason == Reason.MODULE_INVALID.value
    assert "secret `db` is not known on this node" in ended.detail


async def test_what_was_really_sealed_is_taken_afterwards(core: Core, tmp_path: Path) -> None:
    """Lies leave no trace that would keep the truth out."""
    for lie, _ in ATTACKS.values():
        assert isinstance(core.secrets.take(lie(core)), Refused)
    core.admission.consider(offer(tmp_path / "target", (of(core, version=3),)))
    ended = await last(core)
    assert isinstance(ended, Finished)
    assert ended.outcome == "succeeded"
