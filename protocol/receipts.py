"""A host's own word for a result: the signed journal entry that names the result's bytes.

The coordinator carries it and cannot make one, so what a client shows of a host (a plan with its
text, the outcome of an apply) can be checked without trusting the coordinator.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from protocol import ids, journal, keys
from protocol.errors import DecodeError, InvalidName
from protocol.journal import Entry
from protocol.messages import Finished, decode_body


class Receipt(msgspec.Struct, frozen=True):
    """A `finished` journal entry in JSON: keys and hashes in hex, body and signature in base64."""

    public_key: str
    seq: int
    prev: str
    at: float
    body: str
    sig: str


def make(entry: Entry, public_key: bytes) -> Receipt:
    """Return the receipt that a `finished` entry is."""
    return Receipt(
        public_key=public_key.hex(),
        seq=entry.seq,
        prev=entry.prev.hex(),
        at=entry.at,
        body=base64.b64encode(entry.body).decode(),
        sig=base64.b64encode(entry.sig).decode(),
    )


def check(receipt: Receipt, node_id: str, run_id: str, vouched: bytes | None = None) -> Finished:
    """Return what the host said of its step of a run, if it was this host that said it.

    `vouched` is a key that operators signed for this host; else its id has to follow from the key.

    Raises:
        DecodeError: the receipt is malformed, not signed by the host whose id `node_id` is, or
            about another run.
    """
    try:
        public = ids.check_hex64(receipt.public_key, "public_key")
        prev = ids.check_hex64(receipt.prev, "prev")
        body = base64.b64decode(receipt.body, validate=True)
        sig = base64.b64decode(receipt.sig, validate=True)
    except (InvalidName, binascii.Error, ValueError) as error:
        raise DecodeError(f"not a receipt: {error}") from error
    if keys.is_weak(public) or (ids.node_id(public) != node_id and public != vouched):
        raise DecodeError(f"the receipt is not signed with the key of node {node_id}")
    entry = Entry(receipt.seq, prev, receipt.at, "finished", body, sig)
    if not journal.holds(entry, public):
        raise DecodeError("the signature of the receipt does not hold")
    said = decode_body(entry)
    if not isinstance(said, Finished) or said.run_id != run_id:
        raise DecodeError("the receipt is about another run")
    return said
