"""The coordinator as a real process: start, serve, end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from protocol import dsse, enrolment, ids
from tests.fakes.api_site import everyone, operator_key, roster_envelope
from tests.fakes.live_coordinator import LiveCoordinator, running

pytestmark = pytest.mark.integration
COMMAND = [sys.executable, "-m", "coordinator.main"]


@pytest.fixture(name="live", scope="module")
def _live(tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveCoordinator]:
    with running(tmp_path_factory.mktemp("live")) as live:
        yield live


def coordinator(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_enrolment_key_leads_to_this_coordinator(live: LiveCoordinator) -> None:
    """URL, key, TLS fingerprint and roster in the string are those that a host will meet."""
    made = live.http.post("/clusters/default/enrollment_keys", headers=live.bearer(), json={})
    key = enrolment.decode(made.json()["data"]["key"])
    shown = json.loads(coordinator("show-key", "--data-dir", str(live.data), "--json").stdout)
    roster = live.http.get("/roster", headers=live.bearer()).json()
    assert key.urls == (live.url,)
    assert key.coordinator_key == shown["public_key"]
    assert key.tls_fingerprint == shown["tls_fingerprint"]
    assert key.roster == roster["digest"]


def test_everything_secret_on_disk_is_the_owners_alone(live: LiveCoordinator) -> None:
    assert stat.S_IMODE(live.data.stat().st_mode) == 0o700
    for name in ("coordinator.key", "tls.key"):
        assert stat.S_IMODE((live.data / name).stat().st_mode) == 0o600


def test_the_document_is_the_same_served_and_printed(live: LiveCoordinator) -> None:
    """`python -m coordinator.openapi` needs no server and writes no file."""
    printed = subprocess.run(
        [sys.executable, "-m", "coordinator.openapi"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    served = live.root.get("/schema/openapi.json")
    assert json.loads(printed.stdout) == served.json()
    page = live.root.get("/schema/docs")
    assert "/api/v1/agents/{node_id}/plan" in page.text
    assert "<script" not in page.text


def test_sigterm_ends_every_stream_and_then_the_process(tmp_path: Path) -> None:
    """A reader sees the end of its stream, nothing is cut off, and the exit status is 0."""
    with running(tmp_path) as live:
        headers = {**live.bearer(), "accept": "text/event-stream"}
        with live.http.stream("GET", "/events", headers=headers) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 1000"
            live.process.send_signal(signal.SIGTERM)
            assert any(line.startswith("data: ") for line in lines)
        assert live.process.wait(10) == 0
    assert b"timeout graceful shutdown exceeded" not in (tmp_path / "log").read_bytes()


def test_a_peer_that_does_not_read_cannot_hold_up_the_end(tmp_path: Path) -> None:
    with running(tmp_path) as live:
        headers = {**live.bearer(), "accept": "text/event-stream"}
        with live.http.stream("GET", "/events", headers=headers):
            live.process.send_signal(signal.SIGTERM)
            assert live.process.wait(10) == 0


def test_ready_is_said_to_the_service_manager_once_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        with running(tmp_path) as live:
            assert manager.recv(1_000).startswith(b"READY=1\nSTATUS=serving https://127.0.0.1")
            assert manager.recv(1_000) == b"WATCHDOG=1"
            assert live.root.get("/readyz").status_code == 200
        messages = {manager.recv(1_000)}
        while b"STOPPING=1" not in messages:
            messages.add(manager.recv(1_000))


def test_a_key_that_others_may_read_stops_the_start(tmp_path: Path) -> None:
    data, roster = tmp_path / "data", tmp_path / "roster"
    roster.write_bytes(dsse.encode(roster_envelope(everyone())))
    words = ("--data-dir", str(data))
    assert coordinator("init", *words, "--roster", str(roster)).returncode == 0
    (data / "coordinator.key").chmod(0o644)
    ended = coordinator("run", *words, "--api-port", "0")
    assert ended.returncode == 1
    assert "chmod 600" in ended.stderr


def test_init_can_be_said_twice_with_the_same_roster_and_with_no_other(tmp_path: Path) -> None:
    data, roster, other = tmp_path / "data", tmp_path / "roster", tmp_path / "other"
    roster.write_bytes(dsse.encode(roster_envelope(everyone())))
    other.write_bytes(dsse.encode(roster_envelope({"ada": "admin"})))
    first = coordinator("init", "--data-dir", str(data), "--roster", str(roster))
    again = coordinator("init", "--data-dir", str(data), "--roster", str(roster))
    wrong = coordinator("init", "--data-dir", str(data), "--roster", str(other))
    assert first.returncode == again.returncode == 0
    assert first.stdout == again.stdout
    assert wrong.returncode == 1
    assert "has a roster already" in wrong.stderr


def test_a_bootstrap_operator_brings_the_first_roster(tmp_path: Path) -> None:
    """Without a roster no key can be made; once the operator has signed one, it can."""
    key = operator_key("ada")
    with running(
        tmp_path, init=("--operator-key", key.public.hex(), "--username", "ada"), hosts=False
    ) as live:
        made = live.http.post("/clusters/default/enrollment_keys", headers=live.bearer(), json={})
        assert (made.status_code, made.json()["error"]["code"]) == (409, "roster_unknown")
        envelope = json.loads(dsse.encode(roster_envelope({"ada": "admin"})))
        brought = live.http.post("/roster", headers=live.bearer(), json={"envelope": envelope})
        assert brought.status_code == 201
        assert brought.json()["version"] == 1
        made = live.http.post("/clusters/default/enrollment_keys", headers=live.bearer(), json={})
        assert made.status_code == 201
        people = live.http.get("/operators", headers=live.bearer()).json()
        assert [(p["operator_id"], p["in_roster"]) for p in people] == [
            (ids.operator_id(key.public), True)
        ]


def test_two_coordinators_cannot_listen_on_one_port(live: LiveCoordinator, tmp_path: Path) -> None:
    data, roster = tmp_path / "data", tmp_path / "roster"
    roster.write_bytes(dsse.encode(roster_envelope(everyone())))
    coordinator("init", "--data-dir", str(data), "--roster", str(roster))
    port = live.url.rpartition(":")[2]
    ended = coordinator("run", "--data-dir", str(data), "--api-port", port)
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in ended.stderr


def test_plain_http_is_there_only_if_asked_for(tmp_path: Path, live: LiveCoordinator) -> None:
    with running(tmp_path, "--no-tls") as plain:
        assert plain.url.startswith("http://")
        assert plain.http.get("/status").status_code == 200
    with pytest.raises(httpx.HTTPError):
        httpx.get(live.url.replace("https", "http") + "/healthz")


def test_a_data_directory_belongs_to_who_runs(live: LiveCoordinator) -> None:
    assert live.data.stat().st_uid == os.geteuid()
