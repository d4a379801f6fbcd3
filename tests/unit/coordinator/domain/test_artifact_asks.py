"""Which host gets which artifact."""

from __future__ import annotations

import hashlib

from coordinator.domain import artifact_asks, modules
from coordinator.domain import artifacts as uploaded
from coordinator.domain.artifact_asks import Granted
from coordinator.store import artifacts
from coordinator.store.database import Tx
from protocol import api, dsse
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.limits import ARTIFACT_PART
from tests.fakes import people
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet

DATA = b"ab" * ARTIFACT_PART + b"end"
DIGEST = hashlib.sha256(DATA).hexdigest()
NAMED = f"""name: tool
supports:
  - platform: linux
resources:
  - resource:
      file-unix:
        path: /srv/tool
        source: artifact:{DIGEST}
        sha256: {DIGEST}
"""


def bring(tx: Tx) -> None:
    incoming = tx.files.begin()
    incoming.add(DATA)
    uploaded.store(tx, OPERATOR, incoming.finish(), "tool", incoming)


def module(fleet: Fleet, *, signer: int | None = 1, text: str = NAMED) -> None:
    envelope = None if signer is None else people.sign(dsse.MODULE, text.encode(), signer)

    def job(tx: Tx) -> None:
        request = api.UploadModuleRequest("tool", text, envelope)
        examined = modules.examine(tx, request)
        assert isinstance(examined, modules.Examined), examined
        modules.store(tx, OPERATOR, examined)

    fleet.store.write_now(job)


def offer(fleet: Fleet, host: FakeHost, name: str = "tool") -> None:
    fleet.start(api.RunRequest("state.plan", (host.node_id,), modules=(name,)))
    fleet.one_offer(host)


def grant(fleet: Fleet, host: FakeHost, digest: str = DIGEST) -> Granted | str:
    return fleet.store.read_now(lambda tx: artifact_asks.grant(tx, host.host, digest))


def test_a_host_that_was_offered_a_signed_module_gets_what_it_names() -> None:
    """All of it, part by part, and not a byte more."""
    fleet = Fleet()
    host = fleet.add(10)
    fleet.store.write_now(bring)
    module(fleet)
    offer(fleet, host)
    granted = grant(fleet, host)
    assert granted == Granted(DIGEST, len(DATA))
    got = b""
    while len(got) < len(DATA):
        ask = ArtifactAsk(DIGEST, len(got))
        part = fleet.store.read_now(lambda tx, ask=ask: artifact_asks.answer(tx, ask, granted))
        assert (part.offset, part.size, part.refused) == (len(got), len(DATA), "")
        assert 0 < len(part.data) <= ARTIFACT_PART
        got += part.data
    assert got == DATA
    beyond = ArtifactAsk(DIGEST, len(DATA))
    part = fleet.store.read_now(lambda tx: artifact_asks.answer(tx, beyond, granted))
    assert (part.data, "only" in part.refused) == (b"", True)


def test_before_the_offer_and_for_another_host_there_is_nothing() -> None:
    """A run that waits its turn, or is somebody else's, opens nothing."""
    fleet = Fleet()
    host, other = fleet.add(10), fleet.add(11)
    fleet.store.write_now(bring)
    module(fleet)
    fleet.start(api.RunRequest("state.plan", (host.node_id,), modules=("tool",)))
    assert "no signed module" in str(grant(fleet, host))
    fleet.one_offer(host)
    offer(fleet, other, "site")
    assert isinstance(grant(fleet, host), Granted)
    assert "no signed module" in str(grant(fleet, other))


def test_a_module_without_a_signature_opens_nothing() -> None:
    """Whoever can write to the coordinator cannot have a host fetch what no operator named."""
    fleet = Fleet()
    host = fleet.add(10)
    fleet.store.write_now(bring)
    module(fleet, signer=None)
    offer(fleet, host)
    assert "no signed module" in str(grant(fleet, host))


def test_nor_does_one_whose_signer_has_left_the_roster_since() -> None:
    """The roster of now counts, as on the host."""
    people_ = people.first_roster(*(people.person(number) for number in (1, 2, 3)))
    fleet = Fleet()
    fleet.adopt(operators=people_.operators)
    host = fleet.add(10)
    fleet.store.write_now(bring)
    module(fleet, signer=2)
    offer(fleet, host)
    assert isinstance(grant(fleet, host), Granted)
    fleet.adopt(operators=(people_.operators[0], people_.operators[2]))
    assert "no signed module" in str(grant(fleet, host))


def test_what_nobody_uploaded_is_not_given_though_it_is_here() -> None:
    """A module cannot name what another host has sent."""
    fleet = Fleet()
    host = fleet.add(10)
    fleet.store.write_now(lambda tx: artifacts.put(tx, DATA, "plan"))
    module(fleet)
    offer(fleet, host)
    assert "nobody has uploaded it" in str(grant(fleet, host))


def test_bytes_that_are_lost_are_a_refusal() -> None:
    """The operator hears what to do."""
    fleet = Fleet()
    ask = ArtifactAsk(DIGEST)
    part = fleet.store.read_now(
        lambda tx: artifact_asks.answer(tx, ask, Granted(DIGEST, len(DATA)))
    )
    assert part == ArtifactPart(DIGEST, 0, refused="its bytes are lost here: upload it again")
