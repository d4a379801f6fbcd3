"""/artifacts: upload with its digest, and what is known of it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator

import httpx
import pytest
import trio

from coordinator.api.artifacts import MAX_UPLOADS
from coordinator.store import artifacts
from protocol.ids import DEFAULT_SCOPE
from protocol.limits import MAX_ARTIFACT, MAX_BODY
from tests.fakes.api_site import Site

DATA = bytes(range(256)) * 8_192
DIGEST = hashlib.sha256(DATA).hexdigest()


def url(digest: str = DIGEST) -> str:
    return f"/api/v1/artifacts/{digest}"


async def pieces(data: bytes = DATA) -> AsyncGenerator[bytes]:  # noqa: ASYNC900 - what httpx takes
    """A body without a length."""
    for at in range(0, len(data), 100_000):
        yield data[at : at + 100_000]


class Endless(httpx.AsyncByteStream):
    """A body that may be left in the middle, as a server does."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __aiter__(self) -> Endless:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._at >= len(self._data):
            raise StopAsyncIteration
        self._at += 1_000_000
        return self._data[self._at - 1_000_000 : self._at]


async def test_an_upload_larger_than_a_document_is_stored_listed_and_fetched(api: Site) -> None:
    """2 MiB, in pieces; its maker and its name are shown, and the bytes are the same."""
    assert len(DATA) > MAX_BODY
    answer = await api.client.put(
        url(), content=pieces(), params={"name": "tool.tar"}, headers=api.bearer("oli")
    )
    made = answer.json()
    assert answer.status_code == 200, answer.text
    assert (made["sha256"], made["size"], made["name"]) == (DIGEST, len(DATA), "tool.tar")
    assert made["uploaded_by"] == "oli"
    assert (await api.ask("GET", "/artifacts")).json() == [made]
    assert (await api.ask("GET", f"/artifacts/{DIGEST}/upload")).json() == made
    assert (await api.ask("GET", f"/artifacts/{DIGEST}")).content == DATA
    again = await api.client.put(url(), content=DATA, headers=api.bearer())
    assert again.status_code == 200
    assert len((await api.ask("GET", "/artifacts")).json()) == 1


async def test_other_bytes_than_the_digest_says_are_not_stored(api: Site) -> None:
    """The answer names what came."""
    answer = await api.client.put(url(), content=DATA + b"x", headers=api.bearer())
    assert answer.status_code == 400
    found = hashlib.sha256(DATA + b"x").hexdigest()
    assert found in answer.json()["error"]["message"]
    for digest in (DIGEST, found):
        assert (await api.ask("GET", f"/artifacts/{digest}")).status_code == 404
    assert (await api.ask("GET", "/artifacts")).json() == []


async def test_what_is_too_large_is_refused_by_its_header_and_by_its_bytes(
    api: Site,
) -> None:
    """Also a body that names no length; nothing of it stays."""
    headers = {**api.bearer(), "content-length": str(MAX_ARTIFACT + 1)}
    answer = await api.client.put(url(), content=pieces(), headers=headers)
    assert answer.status_code == 413
    assert str(MAX_ARTIFACT) in answer.json()["error"]["message"]
    zeros = b"\0" * (MAX_ARTIFACT + 1)
    digest = hashlib.sha256(zeros).hexdigest()
    stream = Endless(zeros)
    request = httpx.Request("PUT", f"http://test{url(digest)}", headers=api.bearer(), stream=stream)
    assert (await api.client.send(request)).status_code == 413
    assert (await api.ask("GET", "/artifacts")).json() == []


class Slow(httpx.AsyncByteStream):
    """A body that waits; `begun` is rung once somebody reads it."""

    def __init__(self, go_on: trio.Event) -> None:
        self.begun, self._go_on, self._over = trio.Event(), go_on, False

    def __aiter__(self) -> Slow:
        return self

    async def __anext__(self) -> bytes:
        self.begun.set()
        await self._go_on.wait()
        if self._over:
            raise StopAsyncIteration
        self._over = True
        return DATA


async def test_only_so_many_are_taken_in_at_once(api: Site) -> None:
    """One more is told to come back; it is let in once another is done."""
    go_on = trio.Event()
    bodies = [Slow(go_on) for _ in range(MAX_UPLOADS)]

    async def send(body: Slow) -> None:
        request = httpx.Request("PUT", f"http://test{url()}", headers=api.bearer(), stream=body)
        assert (await api.client.send(request)).status_code == 200

    async with trio.open_nursery() as nursery:
        for body in bodies:
            nursery.start_soon(send, body)
            await body.begun.wait()
        answer = await api.client.put(url(), content=DATA, headers=api.bearer())
        assert answer.status_code == 429
        go_on.set()
    answer = await api.client.put(url(), content=DATA, headers=api.bearer())
    assert answer.status_code == 200


async def test_who_may_not_is_refused_before_a_byte_is_read(api: Site) -> None:
    """A viewer uploads nothing."""
    asked: list[int] = []

    async def body() -> AsyncGenerator[bytes]:  # noqa: ASYNC900 - what httpx takes as a body
        asked.append(1)
        yield b"x"

    answer = await api.client.put(url(), content=body(), headers=api.bearer("vik"))
    assert (answer.status_code, asked) == (403, [])


@pytest.mark.parametrize("digest", ["abc", "AB" * 32])
async def test_a_digest_is_64_hex_digits(api: Site, digest: str) -> None:
    for path in (f"/artifacts/{digest}", f"/artifacts/{digest}/upload"):
        assert (await api.ask("GET", path)).status_code == 400
    answer = await api.client.put(url(digest), content=b"x", headers=api.bearer())
    assert answer.status_code == 400


async def test_an_artifact_is_seen_only_through_a_reference(api: Site) -> None:
    """What is in the store is not yet for everybody, and what hosts sent is no upload."""
    data = b'{"plan": 1}'
    digest = hashlib.sha256(data).hexdigest()
    await api.context.store.write(lambda tx: artifacts.put(tx, data, "plan"))
    assert (await api.ask("GET", f"/artifacts/{digest}")).status_code == 404
    await api.context.store.write(lambda tx: artifacts.refer(tx, digest, DEFAULT_SCOPE, "run"))
    found = await api.ask("GET", f"/artifacts/{digest}")
    assert found.content == data
    assert found.headers["etag"] == f'"{digest}"'
    assert (await api.ask("GET", f"/artifacts/{digest}/upload")).status_code == 404
