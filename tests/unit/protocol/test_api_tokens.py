from __future__ import annotations

from client.cli import tokens as cli
from protocol.api_tokens import CAPABILITIES, NAMES, CreatedToken


def test_every_capability_is_explained_and_offered_at_the_command_line() -> None:
    assert set(CAPABILITIES) == set(NAMES) == set(cli.CAPABILITIES)


def test_a_token_does_not_print_itself() -> None:
    made = CreatedToken("ci", "viewer", "2026-01-01T00:00:00Z", token="sf_secret")
    assert "sf_secret" not in repr(made)
