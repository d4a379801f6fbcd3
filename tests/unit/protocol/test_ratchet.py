"""Values of the ratchet: what they never show, and when a proof is none (see tests/property)."""

from __future__ import annotations

from protocol.ratchet import VALUE_SIZE, Held, prove


def test_a_value_is_never_printed() -> None:
    """A log line may hold it whole."""
    assert "vvv" not in repr(Held(1, b"v" * VALUE_SIZE))


def test_a_host_that_holds_nothing_proves_nothing() -> None:
    assert prove(None, b"t" * 32) == (0, b"")


def test_a_proof_is_of_one_value_and_one_link() -> None:
    """Neither can be exchanged."""
    held, other = Held(1, b"v" * VALUE_SIZE), Held(1, b"w" * VALUE_SIZE)
    proofs = {prove(each, link)[1] for each in (held, other) for link in (b"1" * 32, b"2" * 32)}
    assert len(proofs) == 4
