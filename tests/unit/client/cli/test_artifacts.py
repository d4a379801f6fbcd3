"""`standfast artifacts`: the digest is ours, the bytes go as they are."""

from __future__ import annotations

from pathlib import Path

from protocol.api_artifacts import UploadedArtifact
from protocol.reports import content_digest
from tests.fakes.api_server import FakeCoordinator, Reply, Request
from tests.fakes.operator import Person

DATA = b"\x7fELF\x00\xff" * 1_000
DIGEST = content_digest(DATA)
MADE = UploadedArtifact(DIGEST, len(DATA), "tool", 5, "lena")


def test_a_file_is_uploaded_under_its_digest(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    """Its bytes go as they are, and the line for the module comes back."""
    sent: list[Request] = []

    def take(request: Request) -> Reply:
        sent.append(request)
        return Reply(MADE)

    coordinator.on("PUT", f"/artifacts/{DIGEST}", take)
    path = tmp_path / "tool"
    path.write_bytes(DATA)
    typed = lena.types(f"artifacts upload {path}")
    assert typed.code == 0
    assert f"source: artifact:{DIGEST}" in typed.out
    (request,) = sent
    assert (request.body, request.query) == (DATA, {"name": "tool"})
    assert request.headers["content-type"] == "application/octet-stream"
    assert lena.types(f"artifacts upload {tmp_path / 'none'}").code == 2


def test_a_coordinator_that_stored_something_else_is_not_believed(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    """The digest that it says must be the one that was sent."""
    path = tmp_path / "tool"
    path.write_bytes(DATA + b"more")
    digest = content_digest(DATA + b"more")
    coordinator.on("PUT", f"/artifacts/{digest}", Reply(MADE))
    assert lena.types(f"artifacts upload {path}").code == 3


def test_artifacts_are_listed_and_shown(lena: Person, coordinator: FakeCoordinator) -> None:
    """With who brought them; one that is not there says where to look."""
    coordinator.on("GET", "/artifacts", Reply([MADE]))
    coordinator.on("GET", f"/artifacts/{DIGEST}/upload", Reply(MADE))
    assert lena.types("artifacts list").rows[0][:3] == [DIGEST, "6000", "tool"]
    assert "by lena" in lena.types(f"artifacts show {DIGEST}").out
    assert lena.types("artifacts show none").code == 4
