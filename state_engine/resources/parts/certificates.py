"""X.509 certificates, requests and their keys as bytes: read, and made. It is no kind.

Pure but for the random numbers of keys and serial numbers; time is an argument. The library behind
it is imported when first needed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import re
from typing import TYPE_CHECKING

import msgspec

from state_engine.model import CertificateWish, KeyType

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificateIssuerPrivateKeyTypes,
        CertificatePublicKeyTypes,
    )

DAY = 86_400
# The parts of a subject by the short names that people know, in the order of writing.
SUBJECT = {"C": "2.5.4.6", "ST": "2.5.4.8", "L": "2.5.4.7", "O": "2.5.4.10", "OU": "2.5.4.11"}
SUBJECT["CN"] = "2.5.4.3"
# A clock that is a little behind must not find a new certificate not valid yet.
_BACKDATED = dt.timedelta(minutes=5)
_DNS = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9_-]+)*")
_EMAIL = re.compile(r"[!-?A-~]+@[A-Za-z0-9.-]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+")


class Facts(msgspec.Struct, frozen=True):
    """What a certificate or request says; `key` is the SHA-256 of its public key.

    `start` and `end` are seconds since the epoch, 0 in a request. `issuer` is empty if it is the
    subject itself. `subject` holds what has no short name by its number.
    """

    subject: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    key_type: str
    key: str
    fingerprint: str
    start: float = 0
    end: float = 0
    issuer: str = ""
    request: bool = False

    @property
    def days(self) -> int:
        """For how many days it is good."""
        return round((self.end - self.start) / DAY)


class KeyFacts(msgspec.Struct, frozen=True):
    """What may be known of a private key: its type, and the SHA-256 of its public half."""

    type: str
    key: str


def read_name(text: str) -> str | None:
    """Return an alternative name as `DNS:`, `IP:`, `email:` or `URI:` and value, or None.

    Without such a mark it is an address, what holds `://` or `@`, or else a host's name.
    """
    mark, colon, value = text.partition(":")
    if not colon or mark not in {"DNS", "IP", "email", "URI"}:
        value, mark = text, _guess(text)
    if mark == "IP":
        try:
            return f"IP:{ipaddress.ip_address(value)}"
        except ValueError:
            return None
    pattern = {"DNS": _DNS, "email": _EMAIL, "URI": _URI}[mark]
    if len(value) > 253 or pattern.fullmatch(value) is None:
        return None
    return f"{mark}:{value.lower() if mark == 'DNS' else value}"


def read(data: bytes) -> Facts | None:
    """Return what a PEM file with one certificate or request says, or None if it is neither.

    None too for one of a version, or with a key, that the library does not know.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    found: x509.Certificate | x509.CertificateSigningRequest
    try:
        if b"CERTIFICATE REQUEST-----" in data:
            found = x509.load_pem_x509_csr(data)
        else:
            found = x509.load_pem_x509_certificate(data)
        return _facts(found)
    except (
        *(ValueError, UnsupportedAlgorithm, x509.InvalidVersion),
        *(x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
    ):
        return None


def read_key(data: bytes) -> KeyFacts | None:
    """Return what may be known of a private key in PEM, or None (so too if it has a password)."""
    try:
        key = _load_key(data)
    except (ValueError, TypeError):
        return None
    return KeyFacts(_type_of(key.public_key()), _digest_of(key.public_key()))


def make_key(key_type: KeyType) -> bytes:
    """Return a new private key in PEM (PKCS 8, no password)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key: CertificateIssuerPrivateKeyTypes
    if key_type == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif key_type == "ecdsa-p256":
        key = ec.generate_private_key(ec.SECP256R1())
    elif key_type == "ecdsa-p384":
        key = ec.generate_private_key(ec.SECP384R1())
    else:
        key = rsa.generate_private_key(65_537, int(key_type.removeprefix("rsa-")))
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def make(wish: CertificateWish, key_data: bytes, now: float) -> bytes:
    """Return a certificate signed with its own key, or a request, in PEM.

    Raises:
        ValueError: the key cannot be read, or the wish cannot be written.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        key = _load_key(key_data)
    except TypeError as error:
        raise ValueError(f"the key cannot be read: {error}") from error
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    subject = _subject(wish)
    extensions = _extensions(wish)
    if wish.request:
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        for extension, critical in extensions:
            request = request.add_extension(extension, critical)
        return request.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)
    start = dt.datetime.fromtimestamp(int(now), dt.UTC) - _BACKDATED
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=wish.days))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)


def _guess(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if "://" in text:
            return "URI"
        return "email" if "@" in text else "DNS"
    return "IP"


def _subject(wish: CertificateWish) -> x509.Name:
    from cryptography import x509

    parts = [
        x509.NameAttribute(x509.ObjectIdentifier(SUBJECT[name]), value)
        for name, value in wish.subject
    ]
    return x509.Name(parts)


def _extensions(wish: CertificateWish) -> list[tuple[x509.ExtensionType, bool]]:
    from cryptography import x509

    usage = x509.ExtendedKeyUsage(
        [
            x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1"),  # server
            x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2"),  # client
        ]
    )
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, False),
    ]
    if wish.names:
        # Without a subject the names are all that it says of whose it is (RFC 5280, 4.2.1.6).
        names = x509.SubjectAlternativeName([_general_name(name) for name in wish.names])
        found.append((names, not wish.subject))
    return found


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    mark, _, value = name.partition(":")
    if mark == "IP":
        return x509.IPAddress(ipaddress.ip_address(value))
    if mark == "email":
        return x509.RFC822Name(value)
    return x509.DNSName(value) if mark == "DNS" else x509.UniformResourceIdentifier(value)


def _facts(found: x509.Certificate | x509.CertificateSigningRequest) -> Facts:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        names: tuple[str, ...] = ()
    else:
        names = tuple(sorted(_name_text(name) for name in extension.value))
    key = found.public_key()
    der = found.public_bytes(serialization.Encoding.DER)
    facts = Facts(
        _subject_parts(found.subject),
        names,
        _type_of(key),
        _digest_of(key),
        hashlib.sha256(der).hexdigest(),
    )
    if isinstance(found, x509.CertificateSigningRequest):
        return msgspec.structs.replace(facts, request=True)
    issuer = "" if found.issuer == found.subject else found.issuer.rfc4514_string()
    return msgspec.structs.replace(
        facts,
        start=found.not_valid_before_utc.timestamp(),
        end=found.not_valid_after_utc.timestamp(),
        issuer=issuer,
    )


def _subject_parts(name: x509.Name) -> tuple[tuple[str, str], ...]:
    short = {number: word for word, number in SUBJECT.items()}
    parts = [
        (short.get(part.oid.dotted_string, part.oid.dotted_string), str(part.value))
        for part in name
    ]
    return tuple(sorted(parts))


def _name_text(name: x509.GeneralName) -> str:
    from cryptography import x509

    marks = {x509.DNSName: "DNS", x509.RFC822Name: "email", x509.UniformResourceIdentifier: "URI"}
    for kind, mark in marks.items():
        if isinstance(name, kind):
            return f"{mark}:{name.value}"
    return f"IP:{name.value}" if isinstance(name, x509.IPAddress) else f"other:{name.value}"


def _load_key(data: bytes) -> CertificateIssuerPrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(data, None)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    known = (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey)
    if not isinstance(key, known):
        raise TypeError("it is of a type that signs no certificate here")
    return key


def _type_of(key: CertificatePublicKeyTypes) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(key, ec.EllipticCurvePublicKey):
        curves = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
        return curves.get(key.curve.name, key.curve.name)
    return f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPublicKey) else "other"


def _digest_of(key: CertificatePublicKeyTypes) -> str:
    from cryptography.hazmat.primitives import serialization

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()
