"""Checking an audit log line by line, from a live coordinator or from an export; and exporting it.

What is wrong with lines and journals is `protocol.audit_chain`'s and `audit_journals`' to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from client import audit
from client.failures import ClientError, UntrustedError
from protocol import audit_heads, dsse
from protocol.audit_chain import Checker, Finding
from protocol.audit_heads import Head
from protocol.audit_journals import JournalLine, Journals
from protocol.errors import MALFORMED

if TYPE_CHECKING:
    from client.audit import Memory
    from client.session import Session
    from protocol.api_audit import AuditHead

MANIFEST, EVENTS, JOURNALS = "manifest.json", "events.ndjson", "journals.ndjson"
PAGE = 5_000
# 10,000 pages of 5,000: a coordinator that never ends is not followed for ever.
MAX_PAGES = 10_000
# One line: an event is about 1 KiB, an audit entry with its body twice that.
MAX_LINE = 1_048_576


class FileEntry(msgspec.Struct, frozen=True):
    """One file of an export: how many lines it has, and the SHA-256 of its bytes."""

    name: str
    lines: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What an export holds; `remembered` are heads that the exporting operator had kept."""

    v: int
    exported_at: int
    url: str
    coordinator_key: str
    head: dsse.Envelope | None
    tombstones: tuple[dsse.Envelope, ...]
    remembered: tuple[dsse.Envelope, ...]
    events: FileEntry
    journals: FileEntry
    rotations: tuple[dsse.Envelope, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """What a check found; `heads` were held against the lines, of `pruned` the line is gone.

    `recovered` hosts sign with another key than their id commits to: that it is theirs is the word
    of the operators who let them come back, and is not checked here.
    """

    ok: bool
    findings: tuple[Finding, ...]
    lines: int
    last: int
    entries: int
    hosts: int
    recovered: tuple[str, ...]
    heads: int
    pruned: int
    pruned_through: int


class _Evidence(msgspec.Struct, frozen=True):
    """All that lines are held against."""

    head: Head | None
    tombstones: tuple[dsse.Envelope, ...]
    keys: frozenset[str]
    remembered: tuple[Head, ...]


def live(session: Session) -> tuple[Report, AuditHead, Memory]:
    """Check the whole log of a live coordinator against all that is remembered of it."""
    held = audit.load(session.directory, session.profile)
    read = _read_journals(_live_journals(session))
    # Asked after the journals: no host can have been shown more than this head says.
    shown = audit.ask(session, held)
    keys = audit.trusted(session, held, shown)
    evidence = _evidence(shown.head, shown.tombstones, keys, held.all())
    until = evidence.head.seq if evidence.head is not None else 0
    return _check(evidence, read, _live_lines(session, until)), shown, held


def exported(directory: Path, coordinator_key: str, remembered: tuple[Head, ...]) -> Report:
    """Check an export against its own signed head and what is remembered here.

    Raises:
        ClientError: there is no export, or its files are not the ones of its manifest.
    """
    manifest = read_manifest(directory)
    for entry in (manifest.events, manifest.journals):
        _check_file(directory, entry)
    keys = _keys_of(manifest, coordinator_key)
    kept = tuple(audit.checked(one, keys) for one in manifest.remembered)
    evidence = _evidence(manifest.head, manifest.tombstones, keys, (*remembered, *kept))
    read = _read_journals(_file_lines(directory / manifest.journals.name))
    return _check(evidence, read, _file_lines(directory / manifest.events.name))


def export(session: Session, directory: Path) -> Manifest:
    """Write the whole log, the hosts' journals and a manifest into a new directory.

    Raises:
        ClientError: the directory is there already, or cannot be written.
    """
    held = audit.load(session.directory, session.profile)
    try:
        directory.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise ClientError(f"{directory}: {error.strerror}", code="file_unwritable") from error
    journals = _write(directory / JOURNALS, _live_journals(session))
    shown = audit.ask(session, held)
    keys = audit.trusted(session, held, shown)
    head = audit.checked(shown.head, keys) if shown.head else None
    events = _write(directory / EVENTS, _live_lines(session, head.seq if head is not None else 0))
    manifest = Manifest(
        v=1,
        exported_at=int(session.now()),
        url=session.profile.url,
        coordinator_key=session.profile.coordinator_key,
        head=shown.head,
        tombstones=shown.tombstones,
        remembered=held.heads,
        events=events,
        journals=journals,
        rotations=session.api.status().rotations,
    )
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    _write(directory / MANIFEST, [data.rstrip(b"\n")])
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of an export.

    Raises:
        ClientError: there is none.
    """
    path = directory / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}", code="file_unreadable") from error
    except MALFORMED as error:
        raise ClientError(f"{path} is no manifest: {error}", code="manifest_invalid") from error


def _keys_of(manifest: Manifest, pinned: str) -> frozenset[str]:
    signed = (*manifest.remembered, *manifest.tombstones)
    older = {audit.key_of(one) for one in signed}
    return frozenset({pinned}) | audit.leading_to(pinned, older, manifest.rotations)


def _evidence(
    head: dsse.Envelope | None,
    tombstones: tuple[dsse.Envelope, ...],
    keys: frozenset[str],
    remembered: tuple[Head, ...],
) -> _Evidence:
    newest = audit.checked(head, keys) if head is not None else None
    return _Evidence(newest, tombstones, keys, remembered)


def _read_journals(entries: Iterable[bytes]) -> Journals:
    reader = Journals()
    for raw in entries:
        reader.feed(raw)
    return reader


def _check(evidence: _Evidence, reader: Journals, lines: Iterable[bytes]) -> Report:
    found = list(reader.findings)
    start = _pruned(evidence, found)
    heads = [(one, "this operator") for one in evidence.remembered]
    if evidence.head is not None:
        heads.append((evidence.head, "the coordinator"))
    wanted = {one.seq for one, _ in heads} | {seen.seq for _, seen in reader.seen}
    checker = Checker(start, wanted)
    for finding in found:
        checker.add(finding)
    for raw in lines:
        checker.feed(raw)
    if start is not None and audit_heads.digest(evidence.tombstones[-1]) not in checker.named:
        text = f"no line of the log tells of the pruning up to line {start.seq}"
        checker.add(Finding("tombstone_unnamed", start.seq, text))
    gone = sum(not checker.compare(one, whose) for one, whose in heads)
    for node, seen in reader.seen:
        gone += not _host_agrees(checker, node, seen.seq, seen.hash)
    if evidence.head is not None and checker.last > evidence.head.seq:
        text = f"lines after {evidence.head.seq} are not signed"
        checker.add(Finding("rewritten", checker.last, text))
    return Report(
        ok=not checker.findings,
        findings=tuple(checker.findings),
        lines=checker.lines,
        last=checker.last,
        entries=reader.entries,
        hosts=len(reader.nodes),
        recovered=tuple(sorted(reader.recovered)),
        heads=len(heads) + len(reader.seen) - gone,
        pruned=gone,
        pruned_through=start.seq if start is not None else 0,
    )


def _host_agrees(checker: Checker, node: str, seq: int, digest: str) -> bool:
    witness = Head(1, "head", seq, digest, 0, "00" * 32)
    return checker.compare(witness, f"host {node}")


def _pruned(evidence: _Evidence, findings: list[Finding]) -> Head | None:
    """Return the newest statement about what was pruned, after a look at the chain of them."""
    newest: Head | None = None
    previous = ""
    for envelope in evidence.tombstones:
        one = audit.checked(envelope, evidence.keys)
        in_order = newest is None or one.seq > newest.seq
        if one.kind != "prune" or one.previous != previous or not in_order:
            text = (
                f"the statement that lines up to {one.seq} were pruned does not follow the others"
            )
            findings.append(Finding("tombstone_unnamed", one.seq, text))
        newest, previous = one, audit_heads.digest(envelope)
    return newest


def _live_lines(session: Session, until: int) -> Iterator[bytes]:
    after = 0
    for _ in range(MAX_PAGES):
        params = {"after": str(after), "limit": str(PAGE)}
        found = session.api.raw("/audit/export", params).splitlines()
        for raw in found:
            seq = _seq(raw)
            # What was written after the head was signed is the next check's.
            if seq is not None and seq > until:
                return
            after = max(after, seq or 0)
            yield raw
        if len(found) < PAGE:
            return


def _seq(raw: bytes) -> int | None:
    try:
        return msgspec.json.decode(raw, type=_Numbered).seq
    except MALFORMED:
        return None


class _Numbered(msgspec.Struct, frozen=True):
    seq: int


def _live_journals(session: Session) -> Iterator[bytes]:
    node, after = "", 0
    for _ in range(MAX_PAGES):
        params = {"node_id": node, "after": str(after), "limit": str(PAGE)}
        found = session.api.raw("/audit/journals", params).splitlines()
        yield from found
        if len(found) < PAGE:
            return
        try:
            last = msgspec.json.decode(found[-1], type=JournalLine)
        except MALFORMED:
            return
        node, after = last.node_id, last.seq


def _write(path: Path, lines: Iterable[bytes]) -> FileEntry:
    digest, count = hashlib.sha256(), 0
    try:
        with path.open("xb") as file:
            for raw in lines:
                count += 1
                digest.update(raw + b"\n")
                file.write(raw + b"\n")
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}", code="file_unwritable") from error
    return FileEntry(path.name, count, digest.hexdigest())


def _file_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while raw := file.readline(MAX_LINE):
            yield raw.rstrip(b"\n")


def _check_file(directory: Path, entry: FileEntry) -> None:
    path = directory / entry.name
    if Path(entry.name).name != entry.name:
        raise ClientError(f"{entry.name!r} is no file of an export", code="manifest_invalid")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}", code="file_unreadable") from error
    if found != entry.sha256:
        raise UntrustedError(
            f"{path} is not the file of the manifest: it was changed after the export",
            code="export_changed",
        )
