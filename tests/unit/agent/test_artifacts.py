"""The engine's thread waits for an artifact; the link brings it in parts, or says why not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from agent.artifacts import Artifacts
from agent.engine_thread import EngineThread
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.keys import SigningKey
from state_engine.ports import MAX_CONTENT, PortError
from tests.fakes.agent import make_core, running
from tests.fakes.coordinator import FakeCoordinator
from tests.fakes.operators import Operator, first_roster

DATA = bytes(range(50))
DIGEST = hashlib.sha256(DATA).hexdigest()


class Waiting:
    """An engine's job that waits for an artifact, and what came of it."""

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts
        self.got: bytes | None = None
        self.error: PortError | None = None

    async def run(self) -> None:
        try:
            self.got = await EngineThread().run(lambda: self.artifacts.fetch(DIGEST))
        except PortError as error:
            self.error = error

    async def asked(self) -> ArtifactAsk:
        """The next ask, as a link would send it."""
        while True:
            known = self.artifacts.asked.count
            ask = self.artifacts.next_ask()
            if ask is not None:
                return ask
            await self.artifacts.asked.heard(known)


def never() -> bool:
    return False


async def test_an_artifact_comes_in_parts_and_goes_on_over_another_link() -> None:
    """One ask at a time; a part that was not asked for, or comes twice, changes nothing."""
    waiting = Waiting(Artifacts(never))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting.run)
        assert await waiting.asked() == ArtifactAsk(DIGEST, 0)
        assert waiting.artifacts.next_ask() is None
        waiting.artifacts.take(ArtifactPart("cd" * 32, 0, 1, b"x"))
        waiting.artifacts.take(ArtifactPart(DIGEST, 0, 50, DATA[:20]))
        waiting.artifacts.take(ArtifactPart(DIGEST, 0, 50, DATA[:20]))
        assert await waiting.asked() == ArtifactAsk(DIGEST, 20)
        waiting.artifacts.link_is_new()
        assert await waiting.asked() == ArtifactAsk(DIGEST, 20)
        waiting.artifacts.take(ArtifactPart(DIGEST, 20, 50, DATA[20:]))
    assert waiting.got == DATA
    assert waiting.artifacts.next_ask() is None


async def test_an_empty_artifact_is_one_too() -> None:
    """It is whole with its first part."""
    waiting = Waiting(Artifacts(never))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting.run)
        await waiting.asked()
        waiting.artifacts.take(ArtifactPart(DIGEST, 0, 0))
    assert waiting.got == b""


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (ArtifactPart(DIGEST, 0, refused="not for you"), "refuses it: not for you"),
        (ArtifactPart(DIGEST, 0, MAX_CONTENT + 1, b"x"), "more than"),
        (ArtifactPart(DIGEST, 0, 5, b""), "do not fit"),
        (ArtifactPart(DIGEST, 0, 5, b"123456"), "do not fit"),
    ],
    ids=["refused", "too large", "nothing", "too much"],
)
async def test_a_coordinator_that_lies_or_refuses_ends_the_wait(
    part: ArtifactPart, why: str
) -> None:
    """It can neither fill our memory nor keep us asking for ever."""
    waiting = Waiting(Artifacts(never))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting.run)
        await waiting.asked()
        waiting.artifacts.take(part)
    assert waiting.got is None
    assert why in str(waiting.error)


async def test_parts_of_another_size_do_not_fit() -> None:
    """The size is said once."""
    waiting = Waiting(Artifacts(never))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting.run)
        await waiting.asked()
        waiting.artifacts.take(ArtifactPart(DIGEST, 0, 50, DATA[:20]))
        await waiting.asked()
        waiting.artifacts.take(ArtifactPart(DIGEST, 20, 51, DATA[20:]))
    assert "do not fit" in str(waiting.error)


@pytest.mark.parametrize(
    ("cancelled", "silence", "whole", "code"),
    [
        (lambda: True, 60.0, 60.0, "ECANCELED"),
        (never, 0.01, 60.0, "ETIMEDOUT"),
        (never, 60.0, 0.01, "ETIMEDOUT"),
    ],
)
async def test_nobody_waits_for_ever(
    cancelled: Callable[[], bool], silence: float, whole: float, code: str
) -> None:
    """Not past a cancel, a silence, or the time for all of it."""
    waiting = Waiting(Artifacts(cancelled, silence=silence, whole=whole))
    await waiting.run()
    assert waiting.error is not None
    assert waiting.error.code == code


async def test_the_engine_gets_it_over_a_link_that_breaks_in_between(tmp_path: Path) -> None:
    """With real frames: the rest is asked for over the next link, and then it is in the cache."""
    there = FakeCoordinator(SigningKey.generate(), [first_roster(Operator())])
    there.artifacts[DIGEST] = DATA
    there.mute = {3}
    core = make_core(tmp_path / "state")
    got: list[bytes] = []

    async def fetch() -> None:
        sources = core.steps.engine.ports.sources
        got.append(await core.thread.run(lambda: sources.fetch(f"artifact:{DIGEST}", DIGEST)))

    async with there.running(), running(core, there):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetch)
            await there.until(lambda: len(there.asks) == 3)
            await there.drop()
        assert there.links == 2
        offsets = [ask.offset for ask in there.asks]
        assert offsets == [0, 8, 16, 16, 24, 32, 40, 48]
        await fetch()
    assert got == [DATA, DATA]
    assert len(there.asks) == len(offsets)


async def test_other_bytes_than_the_named_are_not_taken(tmp_path: Path) -> None:
    """Whatever the coordinator sends, the digest decides."""
    there = FakeCoordinator(SigningKey.generate(), [first_roster(Operator())])
    there.artifacts[DIGEST] = DATA + b"evil"
    core = make_core(tmp_path / "state")
    async with there.running(), running(core, there):
        sources = core.steps.engine.ports.sources
        with pytest.raises(PortError, match="something else"):
            await core.thread.run(lambda: sources.fetch(f"artifact:{DIGEST}", DIGEST))
    assert not list((tmp_path / "state").glob("sources/*"))
