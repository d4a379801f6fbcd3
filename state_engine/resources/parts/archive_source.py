"""Where an archive comes from: a file of this host, or an address and a digest. It is no kind."""

from __future__ import annotations

import hashlib

from state_engine.ports import MAX_CONTENT, PortError, Ports


def archive_digest(source: str, sha256: str | None, ports: Ports) -> str:
    """Return the SHA-256 of an archive; a file's is read, for an address it is what is asked for.

    Raises:
        PortError: the file is not there, or is another one than `sha256` says.
    """
    if not source.startswith("/"):
        return sha256 or ""
    found = ports.files.digest(source)
    if sha256 is not None and found != sha256:
        raise PortError(f"{source} is not the archive that `sha256` names: it is {found}")
    return found


def archive_bytes(source: str, digest: str, ports: Ports) -> bytes:
    """Return an archive, of which nothing but `digest` is taken.

    Raises:
        PortError: it is another one, too large, or cannot be had.
    """
    if source.startswith("/"):
        data = ports.files.read(source, MAX_CONTENT + 1)
    else:
        data = ports.sources.fetch(source, digest)
    if len(data) > MAX_CONTENT:
        raise PortError(f"{source} is larger than {MAX_CONTENT} bytes", "EFBIG")
    if hashlib.sha256(data).hexdigest() != digest:
        raise PortError(f"{source} was changed meanwhile; plan again")
    return data
