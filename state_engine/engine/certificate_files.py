"""Making a key and a certificate through the ports. What they are to say is the kind's work."""

from __future__ import annotations

from state_engine.ports import PortError, Ports
from state_engine.resources.contract import MakeCertificate
from state_engine.resources.parts import certificates

MAX_KEY = 65_536
KEY_MODE = 0o600
MODE = 0o644


def make_certificate(step: MakeCertificate, ports: Ports, uid: int, gid: int) -> None:
    """Write the key, if there has to be a new one, and then the certificate.

    The private key is never anywhere but in its file and in this call.

    Raises:
        PortError: the key is another one than the plan saw, or what the system says.
    """
    standing = _standing(step, ports)
    key = standing
    if step.new_key or key is None:
        key = certificates.make_key(step.wish.key_type)
        if standing is not None:
            ports.backups.keep(step.key)
        # Private from its first moment; its mode is set once it has its owner.
        ports.files.write(step.key, key, KEY_MODE, uid, gid)
    try:
        made = certificates.make(step.wish, key, ports.clock())
    except ValueError as error:
        raise PortError(f"cannot make {step.path}: {error}") from error
    mode, old_uid, old_gid = MODE, -1, -1
    if (stat := ports.files.stat(step.path)) is not None:
        ports.backups.keep(step.path)
        mode, old_uid, old_gid = stat.mode & 0o777, stat.uid, stat.gid
    ports.files.write(
        step.path, made, mode, old_uid if uid == -1 else uid, old_gid if gid == -1 else gid
    )


def _standing(step: MakeCertificate, ports: Ports) -> bytes | None:
    found = None
    if ports.files.stat(step.key) is not None:
        found = ports.files.read(step.key, MAX_KEY)
    facts = None if found is None else certificates.read_key(found)
    if (None if facts is None else facts.key) != step.expected or (found and facts is None):
        raise PortError(f"{step.key} was changed meanwhile; plan again")
    return found
