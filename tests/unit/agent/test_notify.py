"""The service manager hears what it asked for; without one nothing happens."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from agent import notify
from protocol import sdnotify
from protocol.sdnotify import Manager


def test_messages_arrive_as_one_datagram(tmp_path: Path) -> None:
    """READY and STATUS go together."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        notify.send(Manager(address, None), sdnotify.READY, sdnotify.status("fine"))
        assert manager.recv(4_096) == b"READY=1\nSTATUS=fine"


def test_a_manager_that_is_gone_or_never_was_is_ignored(tmp_path: Path) -> None:
    """Telling is never the reason for a failure."""
    notify.send(None, sdnotify.READY)
    notify.send(Manager(str(tmp_path / "none"), None), sdnotify.READY)


def test_the_manager_is_the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """NOTIFY_SOCKET and WATCHDOG_USEC are what systemd sets."""
    monkeypatch.setenv("NOTIFY_SOCKET", "@abstract")
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert notify.manager() == Manager("\0abstract", 2.0)
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert notify.manager() is None
