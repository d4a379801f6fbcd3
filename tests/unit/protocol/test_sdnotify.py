"""What a service tells its manager."""

from __future__ import annotations

import pytest

from protocol import sdnotify


@pytest.mark.parametrize("socket", ["", "/", "@", "relative/path", "vsock:2:1"])
def test_an_environment_without_a_usable_socket_names_no_manager(socket: str) -> None:
    assert sdnotify.find({"NOTIFY_SOCKET": socket}, 1) is None
    assert sdnotify.find({}, 1) is None


def test_an_abstract_address_begins_with_a_zero_byte() -> None:
    manager = sdnotify.find({"NOTIFY_SOCKET": "@abc"}, 1)
    assert manager == sdnotify.Manager("\0abc", None)


@pytest.mark.parametrize(
    ("pid", "usec", "expected"),
    [
        ("7", "30000000", 30.0),
        (None, "500000", 0.5),
        ("8", "30000000", None),
        ("7", "0", None),
        ("7", "-5", None),
        ("7", "٣", None),
        ("7", "soon", None),
    ],
)
def test_the_watchdog_is_ours_only_if_it_names_us_and_a_time(
    pid: str | None, usec: str, expected: float | None
) -> None:
    environment = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": usec}
    if pid is not None:
        environment["WATCHDOG_PID"] = pid
    assert sdnotify.find(environment, 7) == sdnotify.Manager("/run/notify", expected)


def test_a_status_text_stays_one_short_line() -> None:
    message = sdnotify.status("one\nREADY=1\n" + "x" * 500)
    assert message.startswith(b"STATUS=one READY=1 x")
    assert b"\n" not in message
    assert len(message) <= len(b"STATUS=") + sdnotify.MAX_STATUS


def test_messages_share_one_datagram() -> None:
    assert sdnotify.together(sdnotify.READY, sdnotify.status("up")) == b"READY=1\nSTATUS=up"
