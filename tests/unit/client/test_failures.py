"""Each failure carries its exit code; the codes are a published promise."""

from __future__ import annotations

import pytest

from client import failures
from client.failures import ClientError, ExitCode
from protocol.errors import StandfastError


def test_the_exit_codes_are_the_published_ones() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 130]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (failures.ClientError, 1),
        (failures.BadUsageError, 2),
        (failures.AuthError, 3),
        (failures.UntrustedError, 3),
        (failures.NotFoundError, 4),
        (failures.UnreachableError, 1),
    ],
)
def test_a_failure_says_what_where_and_the_next_command(kind: type[ClientError], code: int) -> None:
    error = kind("what", where="there", next_command="standfast status", code="word")
    assert isinstance(error, StandfastError)
    assert (str(error), error.where, error.next_command, error.code) == (
        "what",
        "there",
        "standfast status",
        "word",
    )
    assert error.exit_code == code
