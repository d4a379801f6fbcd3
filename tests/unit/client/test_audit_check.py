"""A log is checked line by line, live and from an export, against all that anybody remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from client import audit, audit_check
from client.failures import ClientError
from client.profiles import Profile
from client.session import Session, Settings
from protocol.keys import SigningKey
from tests.fakes.api_server import FakeCoordinator
from tests.fakes.audit_log import KEY, AuditLog
from tests.fakes.operator import Person

OWN = KEY.public.hex()
PROFILE = Profile("lab", "https://h:1", coordinator_key=OWN)


@contextmanager
def session_of(lena: Person) -> Generator[Session]:
    """Open a session of the operator."""
    session = Session(Settings(config_dir=str(lena.directory), as_json=True))
    try:
        yield session
    finally:
        session.close()


def codes(report: audit_check.Report) -> set[str]:
    """Return what was found."""
    return {one.code for one in report.findings}


def test_a_live_log_is_held_against_memory_coordinator_and_hosts(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    log = AuditLog(4)
    log.serve(coordinator)
    lena.types("agents list")
    log.host_notes(1, (2, log.lines[1].hash), (3, log.lines[2].hash))
    log.add("more")
    with session_of(lena) as session:
        report, shown, held = audit_check.live(session)
    assert report.ok, report.findings
    assert (report.lines, report.last, report.hosts, report.entries) == (5, 5, 1, 3)
    # One remembered, the coordinator's newest, and two of the host.
    assert report.heads == 4
    assert shown.head == log.head()
    assert held.newest() is not None


def test_a_fork_that_was_shown_to_one_host_alone_is_found(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    log, fork = AuditLog(4), AuditLog(2)
    fork.add("only for you")
    node = log.host_notes(1, (3, fork.lines[2].hash))
    log.serve(coordinator)
    with session_of(lena) as session:
        report, _, _ = audit_check.live(session)
    assert codes(report) == {"rewritten"}
    assert node in report.findings[0].message


def test_a_prune_statement_counts_only_if_the_log_tells_of_it(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A forger with the key can sign one; the lines that follow do not name it."""
    log = AuditLog(6)
    log.prune(3)
    log.serve(coordinator)
    with session_of(lena) as session:
        assert audit_check.live(session)[0].ok
    forged = AuditLog(6)
    forged.prune(4)
    log.lines = [one for one in log.lines if one.seq > 4]
    log.tombstones = forged.tombstones
    with session_of(lena) as session:
        assert codes(audit_check.live(session)[0]) == {"tombstone_unnamed"}
    log.tombstones = [*forged.tombstones, *forged.tombstones]
    with session_of(lena) as session:
        assert "tombstone_unnamed" in codes(audit_check.live(session)[0])


def test_long_logs_are_read_page_by_page(
    lena: Person, coordinator: FakeCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(audit_check), "PAGE", 2)
    log = AuditLog(5)
    log.serve(coordinator)
    with session_of(lena) as session:
        report, _, _ = audit_check.live(session)
    assert report.ok
    assert report.lines == 5
    assert len(coordinator.sent("GET", "/audit/export")) == 3


def test_an_export_verifies_without_the_coordinator(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    log = AuditLog(5)
    log.host_notes(1, (2, log.lines[1].hash))
    log.prune(2)
    log.serve(coordinator)
    folder = tmp_path / "export"
    with session_of(lena) as session:
        manifest = audit_check.export(session, folder)
        with pytest.raises(ClientError):
            audit_check.export(session, folder)
    assert (manifest.events.lines, manifest.journals.lines) == (4, 2)
    report = audit_check.exported(folder, OWN, ())
    assert report.ok, report.findings
    assert (report.pruned_through, report.hosts) == (2, 1)
    later = AuditLog(9).head()
    assert codes(audit_check.exported(folder, OWN, (audit.checked(later, (OWN,)),))) == {
        "truncated"
    }
    with pytest.raises(ClientError):
        audit_check.exported(folder, SigningKey(b"\x09" * 32).public.hex(), ())


@pytest.mark.parametrize("forger", ["careless", "careful"])
def test_an_export_that_was_changed_is_found(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path, forger: str
) -> None:
    """Whether or not the manifest was made to fit."""
    log = AuditLog(5)
    log.serve(coordinator)
    folder = tmp_path / "export"
    with session_of(lena) as session:
        manifest = audit_check.export(session, folder)
    path = folder / audit_check.EVENTS
    path.write_bytes(path.read_bytes().replace(b"event 3", b"nothing"))
    if forger == "careless":
        with pytest.raises(ClientError, match="changed after the export"):
            audit_check.exported(folder, OWN, ())
        return
    made = msgspec.structs.replace(
        manifest,
        events=msgspec.structs.replace(
            manifest.events, sha256=hashlib.sha256(path.read_bytes()).hexdigest()
        ),
    )
    (folder / audit_check.MANIFEST).write_bytes(msgspec.json.encode(made))
    assert codes(audit_check.exported(folder, OWN, ())) == {"edited"}


def test_what_is_no_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClientError):
        audit_check.read_manifest(tmp_path)
    (tmp_path / audit_check.MANIFEST).write_text("{}")
    with pytest.raises(ClientError):
        audit_check.read_manifest(tmp_path)


def test_a_manifest_names_files_of_its_own_directory(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    """A foreign export cannot make the client read somewhere else."""
    log = AuditLog(1)
    log.serve(coordinator)
    folder = tmp_path / "export"
    with session_of(lena) as session:
        manifest = audit_check.export(session, folder)
    outside = msgspec.structs.replace(manifest.events, name="../events.ndjson")
    made = msgspec.structs.replace(manifest, events=outside)
    (folder / audit_check.MANIFEST).write_bytes(msgspec.json.encode(made))
    with pytest.raises(ClientError, match="no file of an export"):
        audit_check.exported(folder, OWN, ())
