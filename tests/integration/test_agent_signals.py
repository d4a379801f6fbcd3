"""A real systemd tells the agent of a unit that starts, stops and is enabled."""

from __future__ import annotations

import sys

import pytest

from tests.fakes.booted import REPOSITORY, booted, missing

pytestmark = [pytest.mark.integration, pytest.mark.needs_root, pytest.mark.slow]

UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
LISTENER = """
import trio
from agent.systemd_bus import listen

heard = []

async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, frozenset({"probe.service"}), heard.append)
        await more(0)
        for words in ("start probe", "stop probe", "enable probe", "kill --signal=TERM probe"):
            if words.startswith("kill"):
                await trio.run_process(["systemctl", "start", "probe.service"])
                await trio.sleep(0.3)
            known = len(heard)
            verb, _, unit = words.rpartition(" ")
            await trio.run_process(["systemctl", *verb.split(), unit + ".service"])
            await more(known)
            print(words, flush=True)
        nursery.cancel_scope.cancel()

async def more(known):
    with trio.fail_after(20):
        while len(heard) <= known:
            await trio.sleep(0.01)

trio.run(main)
"""


def test_a_unit_that_changes_is_heard_from_a_real_systemd() -> None:
    """Start, stop, enablement and a service that is killed each make the agent look."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with booted() as system:
        system.write("/etc/systemd/system/probe.service", UNIT)
        system.run("systemctl", "daemon-reload")
        environment = (f"PYTHONPATH={REPOSITORY}", "PYTHONDONTWRITEBYTECODE=1", "LANG=C.UTF-8")
        done = system.run("env", *environment, sys.executable, "-c", LISTENER)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            "start probe",
            "stop probe",
            "enable probe",
            "kill --signal=TERM probe",
        ]
