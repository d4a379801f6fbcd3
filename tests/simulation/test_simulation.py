"""The simulator as a test: a bounded number of seeds, always the same ones, and its exactness."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# Four processes of ten seeds: what one run costs is a second on an idle core.
BATCH = 10
BATCHES = 4
# Of one batch: thirty times what it takes on an idle core.
LONGEST = 300.0


def soak(*arguments: str, hashing: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the simulator in a process of its own, as `./dev soak` does."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation.running", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hashing},
        timeout=LONGEST,
    )


@pytest.mark.slow
@pytest.mark.timeout(LONGEST + 20.0)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_promise_holds_in_these_runs(batch: int) -> None:
    """Whatever goes wrong in them, in whatever order: what fails says how to replay it."""
    done = soak("--seeds", str(BATCH), "--start", str(batch * BATCH))
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]
    # Runs in which hosts did nothing would prove nothing.
    acts = re.search(r"(\d+) changes of hosts", done.stdout)
    assert acts is not None
    assert int(acts[1]) > 10 * BATCH


@pytest.mark.slow
@pytest.mark.timeout(LONGEST + 20.0)
def test_a_seed_is_one_run_to_the_last_frame() -> None:
    """Two processes that order their sets differently see the same run."""
    digests = {
        soak("--seeds", "1", "--start", "3", hashing=hashing).stdout.splitlines()[0]
        for hashing in ("0", "1")
    }
    (digest,) = digests
    assert re.fullmatch(r"seed 3 digest [0-9a-f]{64}", digest)
