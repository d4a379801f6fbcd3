"""Making a key and a certificate; the kind's own tests run it through the engine."""

from __future__ import annotations

import pytest

from state_engine.engine.certificate_files import make_certificate
from state_engine.model import CertificateWish
from state_engine.ports import PortError
from state_engine.resources.contract import MakeCertificate
from state_engine.resources.parts import certificates
from tests.fakes.ports import FakePorts, Node

WISH = CertificateWish((), ("DNS:x",), "ed25519", 30)


def step(expected: str | None) -> MakeCertificate:
    return MakeCertificate("/c", "/k", WISH, new_key=False, expected=expected)


def test_the_key_has_to_be_the_one_that_the_plan_saw() -> None:
    """Another one, none, or one that appeared: nothing is written."""
    ports = FakePorts()
    key = certificates.make_key("ed25519")
    facts = certificates.read_key(key)
    assert facts is not None
    for content, expected in ((None, facts.key), (key, "other"), (key, None), (b"x", None)):
        ports.files.nodes.pop("/k", None)
        if content is not None:
            ports.files.put("/k", Node("file", 0o600, 0, 0, content))
        with pytest.raises(PortError, match="changed meanwhile"):
            make_certificate(step(expected), ports, -1, -1)
    assert ports.files.writes == []
    ports.files.put("/k", Node("file", 0o600, 0, 0, key))
    make_certificate(step(facts.key), ports, 5, 6)
    assert ports.files.writes == [("write", "/c")]


def test_a_new_key_is_private_from_its_first_moment() -> None:
    """And belongs to whom it should."""
    ports = FakePorts()
    make_certificate(step(None), ports, 5, 6)
    stat = ports.files.stat("/k")
    assert stat is not None
    assert (stat.mode, stat.uid, stat.gid) == (0o600, 5, 6)
    assert ports.files.writes == [("write", "/k"), ("write", "/c")]
