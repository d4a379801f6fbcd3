"""TLS to one pinned certificate: the check stands in the handshake, before a byte is sent.

The coordinator usually signs its own certificate, so the pin is the SHA-256 of the certificate.
"""

from __future__ import annotations

import hashlib
import socket
import ssl

from client.failures import BadUsageError, UnreachableError

# A hello across a satellite link needs under 3 s.
CONNECT_SECONDS = 10.0
_HEX = frozenset("0123456789abcdef")


class WrongCertificateError(ssl.SSLCertVerificationError):
    """The server showed another certificate than the pinned one."""

    def __init__(self, found: str) -> None:
        super().__init__(1, f"certificate {found} is not the pinned one")
        self.found = found


class PinnedContext(ssl.SSLContext):
    """A client context whose every handshake ends in a comparison with the pin.

    Without a pin it takes any certificate: only `fetch_fingerprint` uses it so.
    """

    pin: str | None

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """Return the socket after a handshake with the pinned server.

        Raises:
            WrongCertificateError: it is another one; the connection is closed.
        """
        del do_handshake_on_connect  # before it there is no certificate to compare
        wrapped = super().wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=True,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=server_hostname,
            session=session,
        )
        found = hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").hexdigest()
        if self.pin is not None and found != self.pin:
            wrapped.close()
            raise WrongCertificateError(found)
        return wrapped


def pinned_context(pin: str | None) -> PinnedContext:
    """Return a context for the pin (64 hex digits), or one that takes any certificate."""
    context = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    # The pin names the one certificate; a chain or a name would say less.
    context.verify_mode = ssl.CERT_NONE
    context.pin = pin
    return context


def fetch_fingerprint(host: str, port: int) -> str:
    """Return the SHA-256 of the certificate that a server shows; nothing else is said to it.

    Raises:
        UnreachableError: no connection, or no TLS there.
    """
    where = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS) as plain:
            context = pinned_context(None)
            with context.wrap_socket(plain, server_hostname=host) as wrapped:
                return hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").hexdigest()
    except ssl.SSLError as error:
        raise UnreachableError(
            f"{where} does not speak TLS ({error.reason or error})",
            next_command="standfast profile update NAME --no-tls, if it is meant to be so",
            code="no_tls",
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"cannot connect to {where}: {error.strerror or error}",
            next_command="look whether standfast-coordinator runs there, and at the address: "
            "standfast profile list",
            code="unreachable",
        ) from error


def parse_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 lower-case hex digits; colons, spaces, `sha256:` may be there.

    Raises:
        BadUsageError: it is no SHA-256.
    """
    plain = text.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if len(plain) != 64 or not _HEX.issuperset(plain):
        raise BadUsageError(
            f"{text!r} is not a certificate fingerprint (SHA-256, 64 hex digits)",
            next_command="standfast-coordinator show-key, on the coordinator's host",
        )
    return plain
