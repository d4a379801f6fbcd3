"""Uploaded artifacts as records."""

from __future__ import annotations

import hashlib

from coordinator.domain import artifacts as uploaded
from coordinator.store import artifacts
from coordinator.store.database import Tx
from protocol.api_artifacts import UploadedArtifact
from tests.fakes.api_site import Desk

DATA = b"bytes of a tool"
DIGEST = hashlib.sha256(DATA).hexdigest()


def upload(tx: Tx, desk: Desk, title: str) -> object:
    """Bring the bytes as a handler does."""
    incoming = tx.files.begin()
    incoming.add(DATA)
    try:
        return uploaded.store(tx, desk.ada, incoming.finish(), title, incoming)
    finally:
        incoming.drop()


def test_the_same_bytes_again_change_nothing_but_the_title() -> None:
    """One record for one digest, and each upload is in the log."""
    desk = Desk.open()
    desk.do(lambda tx: upload(tx, desk, "old"))
    made = desk.do(lambda tx: upload(tx, desk, "new"))
    assert isinstance(made, UploadedArtifact)
    assert (made.sha256, made.size, made.name) == (DIGEST, len(DATA), "new")
    assert desk.do(uploaded.listing) == (made,)
    assert desk.do(lambda tx: uploaded.get(tx, DIGEST)) == made
    event = desk.last_event()
    assert (event.type, event.target.id) == ("artifact.uploaded", DIGEST)


def test_what_hosts_sent_is_no_upload() -> None:
    """Its bytes may be here; nobody has vouched for them."""
    desk = Desk.open()
    desk.do(lambda tx: artifacts.put(tx, DATA, "plan"))
    assert desk.refused(lambda tx: uploaded.get(tx, DIGEST)).kind == "not_found"
