"""The API document against the running API: generated requests, conforming answers, no 5xx."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fakes.live_coordinator import LiveCoordinator, running

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
# A stream goes on until its run is over; it has its own test.
LEFT_OUT = ("/api/v1/runs/{run_id}/events",)


@pytest.fixture(name="live", scope="module")
def _live(tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveCoordinator]:
    with running(tmp_path_factory.mktemp("live")) as live:
        yield live


def test_generated_requests_find_no_fault(live: LiveCoordinator, tmp_path: Path) -> None:
    """Valid and invalid data for every operation; the answers are those of the document."""
    left_out = [word for path in LEFT_OUT for word in ("--exclude-path", path)]
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run",
            f"{live.url}/schema/openapi.json",
            "--tls-verify", str(live.data / "tls.crt"),
            "--header", f"Authorization: {live.bearer()['authorization']}",
            "--header", "Prefer: respond-async",
            "--checks", ",".join(CHECKS),
            "--phases", "coverage,fuzzing",
            "--max-examples", "6",
            "--seed", "1",
            "--generation-database", "none",
            "--no-color",
            *left_out,
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=290, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
