"""Uploaded artifacts: the calls, and reading the file that is uploaded."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from client.api import Api
from client.failures import BadUsageError, UntrustedError
from protocol.api_artifacts import MAX_ARTIFACT_NAME, UploadedArtifact
from protocol.limits import MAX_ARTIFACT
from protocol.reports import content_digest


def listing(api: Api) -> tuple[UploadedArtifact, ...]:
    """Return what was uploaded, newest first."""
    return api.ask("GET", "/artifacts", tuple[UploadedArtifact, ...])


def show(api: Api, sha256: str) -> UploadedArtifact:
    """Return what is known of one uploaded artifact."""
    return api.ask("GET", f"/artifacts/{quote(sha256, safe='')}/upload", UploadedArtifact)


def upload(api: Api, path: str, name: str | None) -> UploadedArtifact:
    """Store a file's bytes under their digest, which is computed here.

    Raises:
        BadUsageError: the file cannot be read, or is too large.
        UntrustedError: the coordinator says it stored something else.
    """
    data = read_file(path)
    digest = content_digest(data)
    title = (name if name is not None else Path(path).name)[:MAX_ARTIFACT_NAME]
    stored = api.bring(f"/artifacts/{digest}", UploadedArtifact, data, {"name": title})
    if (stored.sha256, stored.size) != (digest, len(data)):
        raise UntrustedError(
            f"{path} was stored with other content than was sent",
            next_command="look at who can write to the coordinator",
            code="artifact_changed",
        )
    return stored


def read_file(path: str) -> bytes:
    """Return a file's bytes.

    Raises:
        BadUsageError: it cannot be read, or has more than an artifact may have.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_ARTIFACT + 1)
    except OSError as error:
        raise BadUsageError(
            f"cannot read {path}: {error.strerror}", code="file_unreadable"
        ) from error
    if len(data) > MAX_ARTIFACT:
        raise BadUsageError(
            f"{path} is longer than {MAX_ARTIFACT} bytes, the most an artifact may have"
        )
    return data
