"""Certificates, requests and keys as bytes."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from state_engine.model import CertificateWish, KeyType
from state_engine.resources.parts import certificates

NOW = 1.8e9


def wish(*, key_type: KeyType = "ed25519", request: bool = False) -> CertificateWish:
    names = ("DNS:*.example.org", "IP:192.0.2.1", "URI:https://x/y", "email:a@example.org")
    return CertificateWish((("O", "Example"), ("CN", "x")), names, key_type, 30, request)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("www.Example.org", "DNS:www.example.org"),
        ("*.example.org", "DNS:*.example.org"),
        ("192.0.2.1", "IP:192.0.2.1"),
        ("2001:DB8::0:1", "IP:2001:db8::1"),
        ("IP:192.0.2.1", "IP:192.0.2.1"),
        ("a@example.org", "email:a@example.org"),
        ("spiffe://example.org/a", "URI:spiffe://example.org/a"),
        ("localhost", "DNS:localhost"),
        ("", None),
        ("a b", None),
        ("-x.example.org", None),
        ("*.*.org", None),
        ("DNS:", None),
        ("IP:1.2.3", None),
        ("a\nb", None),
        ("exämple.org", None),
        ("x" * 300, None),
    ],
)
def test_names_are_read(text: str, name: str | None) -> None:
    """With a mark or without."""
    assert certificates.read_name(text) == name


@pytest.mark.parametrize("request_only", [False, True])
@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_what_is_made_says_what_was_wished(key_type: KeyType, request_only: bool) -> None:
    """And its key is the key."""
    key = certificates.make_key(key_type)
    made = wish(key_type=key_type, request=request_only)
    facts = certificates.read(certificates.make(made, key, NOW))
    held = certificates.read_key(key)
    assert facts is not None
    assert held is not None
    assert (facts.key, facts.key_type, held.type) == (held.key, key_type, key_type)
    assert (dict(facts.subject), facts.names) == (dict(made.subject), made.names)
    assert (facts.request, facts.issuer) == (request_only, "")
    assert facts.days == (0 if request_only else 30)
    assert request_only or facts.start <= NOW < facts.end


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_another_program_accepts_it(tmp_path: Path) -> None:
    """The signature holds, and it is good for a server of that name."""
    key = certificates.make_key("ecdsa-p256")
    (tmp_path / "c").write_bytes(certificates.make(wish(key_type="ecdsa-p256"), key, NOW))
    check = ["openssl", "verify", "-attime", str(int(NOW)), "-purpose", "sslserver"]
    names = ["-verify_hostname", "a.example.org", "-CAfile", str(tmp_path / "c")]
    done = subprocess.run(
        [*check, *names, str(tmp_path / "c")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done


@pytest.mark.parametrize("data", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END"])
def test_what_is_neither_is_none(data: bytes) -> None:
    """It raises nothing."""
    assert certificates.read(data) is None
    assert certificates.read_key(data) is None


def test_a_key_of_a_type_that_the_library_does_not_know_is_no_crash() -> None:
    """One such file on a host must not keep it from every plan."""
    key = certificates.make_key("ecdsa-p256")
    made = certificates.make(wish(key_type="ecdsa-p256"), key, NOW)
    der = ssl.PEM_cert_to_DER_cert(made.decode())
    # The number of the curve, of the public key or of the version: made into one that is none.
    for known, other in (
        (bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f")),
        (bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d027f")),
        (bytes.fromhex("a003020102"), bytes.fromhex("a003020109")),
    ):
        assert known in der
        strange = ssl.DER_cert_to_PEM_cert(der.replace(known, other))
        assert certificates.read(strange.encode()) is None
