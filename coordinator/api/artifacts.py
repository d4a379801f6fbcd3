"""/artifacts: bytes by their SHA-256; operators upload what modules name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import anyio
from litestar import Response, get, put
from litestar.params import FromPath, QueryParameter

from coordinator.api.calls import Call, Caller, accept, refuse
from coordinator.api.problems import documented
from coordinator.domain import artifacts as domain
from coordinator.domain.refusals import invalid
from coordinator.store import artifacts
from coordinator.store.artifact_files import Incoming
from coordinator.store.database import Tx
from protocol.api_artifacts import MAX_ARTIFACT_NAME, UploadedArtifact
from protocol.errors import InvalidName
from protocol.ids import DEFAULT_SCOPE, check_hex64
from protocol.limits import MAX_ARTIFACT

TAGS = ["artifacts"]
# Uploads at once: four of 64 MiB each are what the quota cannot know of yet.
MAX_UPLOADS = 4
# A slow line of 1 Mbit/s brings 64 MiB in 9 minutes.
UPLOAD_SECONDS = 900.0
# Bytes that are gathered before a thread writes them.
_PIECE = 524_288

Title = Annotated[
    str, QueryParameter(max_length=MAX_ARTIFACT_NAME, description="What people call the file.")
]


@get(
    "/artifacts",
    tags=TAGS,
    summary="List uploaded artifacts",
    responses=documented("bad_request", "unauthorized"),
)
async def list_artifacts(call: Caller) -> tuple[UploadedArtifact, ...]:
    """Return what operators uploaded, newest first."""
    return await call.read(domain.listing)


@put(
    "/artifacts/{sha256:str}",
    tags=TAGS,
    summary="Upload an artifact",
    request_max_body_size=MAX_ARTIFACT,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "payload_too_large", "too_many_requests",
        "unavailable",
    ),
)  # fmt: skip
async def upload_artifact(
    call: Caller, sha256: FromPath[str], name: Title = ""
) -> UploadedArtifact:
    """Store the body, whatever it is, if it has this SHA-256; the same again changes nothing."""
    _check(sha256)
    with _turn(call):
        try:
            with anyio.fail_after(UPLOAD_SECONDS):
                return await _store(call, sha256, name)
        except OSError as error:
            # A TimeoutError is one of them, too.
            message = f"the upload was not on disk within {UPLOAD_SECONDS:g} seconds, or cannot be"
            raise refuse("unavailable", message) from error


@get(
    "/artifacts/{sha256:str}/upload",
    tags=TAGS,
    summary="Show an uploaded artifact",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_artifact(call: Caller, sha256: FromPath[str]) -> UploadedArtifact:
    """Return who uploaded an artifact, and when."""
    _check(sha256)
    return await call.read(lambda tx: domain.get(tx, sha256))


@get(
    "/artifacts/{sha256:str}",
    tags=TAGS,
    summary="Fetch an artifact",
    media_type="application/octet-stream",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def fetch_artifact(call: Caller, sha256: FromPath[str]) -> Response[bytes]:
    """Return the bytes of an upload, or what an event or a run's step names."""
    _check(sha256)
    data = await call.read(lambda tx: artifacts.read(tx, sha256, DEFAULT_SCOPE))
    if data is None:
        raise refuse("not_found", "there is no such artifact")
    headers = {"etag": f'"{sha256}"', "content-disposition": "attachment"}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _check(sha256: str) -> None:
    try:
        check_hex64(sha256, "sha256")
    except InvalidName as error:
        accept(invalid("sha256", str(error)))


async def _store(call: Call, sha256: str, title: str) -> UploadedArtifact:
    actor = call.actor
    incoming = await call.read(lambda tx: tx.files.begin())
    try:
        found = await _take_in(call, incoming)
        if found != sha256:
            accept(invalid("sha256", f"the body has the SHA-256 {found}"))
        return await call.change(lambda tx: domain.store(tx, actor, sha256, title, incoming))
    finally:
        incoming.drop()


async def _take_in(call: Call, incoming: Incoming) -> str:
    piece = bytearray()

    def write(_: Tx) -> None:
        incoming.add(bytes(piece))

    async for chunk in call.request.stream():
        piece += chunk
        if len(piece) >= _PIECE:
            await call.read(write)
            piece.clear()
    await call.read(write)
    return await call.read(lambda _: incoming.finish())


@contextmanager
def _turn(call: Call) -> Generator[None]:
    running: Counter[str] = call.request.app.state.uploads
    if running["all"] >= MAX_UPLOADS:
        raise refuse("too_many_requests", f"{MAX_UPLOADS} uploads are on their way already")
    running["all"] += 1
    try:
        yield
    finally:
        running["all"] -= 1


routes = (list_artifacts, upload_artifact, show_artifact, fetch_artifact)
