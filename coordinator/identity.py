"""The coordinator's own secrets on disk: data directory, signing key, TLS certificate.

Made once with O_EXCL and fsync, never replaced, refused when others may read them. Key files are
the only thing that is read or written here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import os
import stat
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.errors import InvalidName, StandfastError
from protocol.ids import check_hex64
from protocol.keys import SigningKey

KEY_FILE = "coordinator.key"
TLS_KEY_FILE = "tls.key"
TLS_CERT_FILE = "tls.crt"
# Agents pin the certificate itself, so its end is no protection, only an outage: ten years.
CERTIFICATE_DAYS = 3_650


class IdentityError(StandfastError):
    """The data directory or a key in it is missing, damaged, or open to others."""


class TlsFiles(msgspec.Struct, frozen=True):
    """Paths of a certificate and its key, with the SHA-256 of the certificate as it is served."""

    certificate: Path
    key: Path
    fingerprint: str


def prepare_directory(path: Path) -> None:
    """Make the data directory with mode 0700, or check the one that is there.

    Raises:
        IdentityError: others may enter it, or it is no directory.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise IdentityError(f"{path} is not a directory") from None
    _refuse_open(path, "chmod 700")


def load_key(directory: Path) -> SigningKey:
    """Return the coordinator's signing key.

    Raises:
        IdentityError: there is none, others may read it, or it does not hold a seed.
    """
    return read_key(directory / KEY_FILE)


def read_key(path: Path) -> SigningKey:
    """Return the signing key that a file holds.

    Raises:
        IdentityError: there is none, others may read it, or it does not hold a seed.
    """
    text = _read_secret(path, "run standfast-coordinator init first").decode("ascii", "replace")
    try:
        return SigningKey(check_hex64(text.strip(), "the seed"))
    except InvalidName:
        # The content is a secret, damaged or not: it must not stand in the message or its cause.
        raise IdentityError(f"{path} does not hold a key: restore it from a backup") from None


def create_key(directory: Path) -> SigningKey:
    """Make the signing key on disk and return it.

    Raises:
        IdentityError: there is one already.
    """
    key = SigningKey.generate()
    write_secret(directory / KEY_FILE, key.seed().hex().encode() + b"\n")
    return key


def load_tls(certificate: Path, key: Path) -> TlsFiles:
    """Return the TLS files after checking that they can be served.

    Raises:
        IdentityError: one is missing or damaged, they do not match, or others may read the key.
    """
    secret = _read_secret(key, "give --tls-key the path of the certificate's key")
    try:
        served = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise IdentityError(f"{certificate} cannot be used as a certificate: {error}") from error
    try:
        private = serialization.load_pem_private_key(secret, None)
    except (TypeError, ValueError) as error:
        raise IdentityError(f"{key} is not an unencrypted PEM key") from error
    if private.public_key() != served.public_key():
        raise IdentityError(f"{key} does not belong to {certificate}")
    der = served.public_bytes(serialization.Encoding.DER)
    return TlsFiles(certificate, key, hashlib.sha256(der).hexdigest())


def own_tls(directory: Path, names: tuple[str, ...], now: float) -> TlsFiles:
    """Return the self-signed TLS files of the data directory, making them at first.

    `names` are DNS names and addresses that the certificate is for.

    Raises:
        IdentityError: the files are damaged or open to others.
    """
    certificate, key = directory / TLS_CERT_FILE, directory / TLS_KEY_FILE
    if not certificate.exists():
        # A key without a certificate is a first start that was cut off: nobody has pinned it.
        key.unlink(missing_ok=True)
        _make_tls(certificate, key, names, now)
    return load_tls(certificate, key)


def _make_tls(certificate: Path, key: Path, names: tuple[str, ...], now: float) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "standfast-coordinator")])
    start = dt.datetime.fromtimestamp(now, dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        # A day back: a host whose clock is behind must still be able to connect.
        .not_valid_before(start - dt.timedelta(days=1))
        .not_valid_after(start + dt.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(private, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_secret(key, private.private_bytes(pem, form, serialization.NoEncryption()))
    write_secret(certificate, built.public_bytes(pem))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file that only we can read, durably, its name included.

    Raises:
        IdentityError: there is one already.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise IdentityError(f"{path} exists already; it is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def sync(directory: Path) -> None:
    """Make the names in a directory survive a power cut, not only what they stand for."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_secret(path: Path, help_text: str) -> bytes:
    if not path.exists():
        raise IdentityError(f"{path} is missing: {help_text}")
    _refuse_open(path, "chmod 600")
    return path.read_bytes()


def _refuse_open(path: Path, remedy: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise IdentityError(f"{path} is open to others (mode {mode:04o}): {remedy} {path}")
