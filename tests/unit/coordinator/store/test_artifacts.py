from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from itertools import permutations
from pathlib import Path

import pytest

from coordinator.store import artifacts
from coordinator.store.database import Store
from protocol.limits import MAX_ARTIFACT
from protocol.messages import ArtifactChunk
from tests.fakes.stores import file_store, memory_store

DATA = b"0123456789"
NAME = hashlib.sha256(DATA).hexdigest()
PARTS = [ArtifactChunk(NAME, "plan", at, 10, DATA[at : at + 4]) for at in (0, 4, 8)]


@pytest.fixture
def store() -> Store:
    return memory_store()


def add(store: Store, *parts: ArtifactChunk, node: str = "n", quota: int = 100) -> list[str]:
    return [
        store.write_now(lambda tx, p=part: artifacts.add_chunk(tx, node, "s", p, quota=quota))
        for part in parts
    ]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_chunks_make_the_artifact_in_any_order(store: Store, order: tuple[int, ...]) -> None:
    """Also if some come twice."""
    twice = [PARTS[order[0]], *(PARTS[index] for index in order)]
    assert add(store, *twice)[-1] == "stored"
    assert store.read_now(lambda tx: artifacts.read(tx, NAME, "s")) == DATA


def test_an_artifact_is_seen_in_the_scope_that_refers_to_it(store: Store) -> None:
    """Elsewhere it does not exist, also for who knows its digest."""
    add(store, *PARTS)
    assert store.read_now(lambda tx: artifacts.read(tx, NAME, "other")) is None
    store.write_now(lambda tx: artifacts.refer(tx, NAME, "other", "run:1"))
    assert store.read_now(lambda tx: artifacts.read(tx, NAME, "other")) == DATA


def test_a_host_has_sent_only_what_it_sent_whole(store: Store) -> None:
    """Naming, or beginning, what another host has sent gives no part in it."""
    add(store, *PARTS)
    add(store, PARTS[0], node="thief")
    assert store.read_now(lambda tx: artifacts.sent_by(tx, NAME, "n"))
    assert not store.read_now(lambda tx: artifacts.sent_by(tx, NAME, "thief"))
    assert add(store, *PARTS[1:], node="thief")[-1] == "stored"
    assert store.read_now(lambda tx: artifacts.sent_by(tx, NAME, "thief"))


@pytest.mark.parametrize(
    "chunk",
    [
        ArtifactChunk(NAME, "plan", -1, 10, b"x"),
        ArtifactChunk(NAME, "plan", 8, 10, b"long"),
        ArtifactChunk(NAME, "plan", 0, MAX_ARTIFACT + 1, b"x"),
        ArtifactChunk(NAME, "plan", 0, 10, b""),
        ArtifactChunk(NAME, "plan", 0, 10, b"9876543210"),
    ],
)
def test_a_lying_chunk_is_invalid(store: Store, chunk: ArtifactChunk) -> None:
    """Nothing is kept of it."""
    assert add(store, chunk) == ["invalid"]
    assert store.read_now(lambda tx: artifacts.find(tx, NAME)) is None


def test_over_the_quota_only_the_digest_is_kept(store: Store) -> None:
    """The host's journal goes on; that the bytes are missing is known."""
    assert add(store, *PARTS, quota=9)[-1] == "over_quota"
    known = store.read_now(lambda tx: artifacts.find(tx, NAME))
    assert known is not None
    assert not known.kept
    assert store.read_now(lambda tx: artifacts.read(tx, NAME)) is None


def test_what_a_host_begins_and_never_completes_is_bounded(store: Store) -> None:
    """Then its own beginnings are dropped; another host's are not."""
    add(store, PARTS[0], node="other")
    begun = [
        ArtifactChunk(hashlib.sha256(bytes([n])).hexdigest(), "p", 0, 5, b"xxxx") for n in range(3)
    ]
    outcomes = [
        store.write_now(lambda tx, p=part: artifacts.add_chunk(tx, "n", "s", p, max_begun=10))
        for part in begun
    ]
    assert outcomes == ["waiting", "waiting", "invalid"]
    assert add(store, *PARTS[1:], node="other")[-1] == "stored"


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncGenerator[Store]:
    async with file_store(tmp_path) as store:
        yield store


async def test_bytes_are_on_disk_under_their_digest(disk: Store, tmp_path: Path) -> None:
    """The file is there once the row is, and a lost file reads as lost."""
    await disk.write(lambda tx: artifacts.put(tx, DATA, "plan"))
    path = tmp_path / "artifacts" / NAME[:2] / NAME
    assert path.read_bytes() == DATA
    assert await disk.read(lambda tx: artifacts.read(tx, NAME)) == DATA
    path.unlink()
    assert await disk.read(lambda tx: artifacts.read(tx, NAME)) is None
