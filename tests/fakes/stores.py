"""Stores for tests: in memory without threads, or a real file with its writer thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from coordinator.store.database import Store


class FrozenClock:
    """A clock that stands until the test moves it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Entropy:
    """Bytes that are different each time and the same in each run."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")


def memory_store(
    clock: Callable[[], float] | None = None,
    on_commit: Callable[[frozenset[str]], None] | None = None,
) -> Store:
    """A store in memory that runs every job in the caller."""
    return Store.open(
        "sqlite://",
        clock=clock or FrozenClock(),
        inline=True,
        entropy=Entropy(),
        on_commit=on_commit,
    )


@asynccontextmanager
async def file_store(
    directory: Path,
    clock: Callable[[], float] | None = None,
    on_commit: Callable[[frozenset[str]], None] | None = None,
) -> AsyncGenerator[Store]:
    """A store in a file, closed at the end."""
    store = Store.open(
        f"sqlite:///{directory / 'coordinator.db'}",
        clock=clock or FrozenClock(),
        artifacts=directory / "artifacts",
        on_commit=on_commit,
    )
    try:
        yield store
    finally:
        await store.aclose()
