"""A token is kept for its owner, its coordinator and its time; a challenge is signed with care."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from client.failures import UntrustedError
from client.login import Token, coordinator_changed, forget_token, load_token, save_token
from client.profiles import Profile
from protocol.ids import operator_id
from protocol.keys import SigningKey
from tests.fakes.api_server import FakeCoordinator, problem
from tests.fakes.operator import Person

KEY = SigningKey(b"\x01" * 32)
PROFILE = Profile("lab", "https://h:1", coordinator_key="a" * 64)
TOKEN = Token("t", 1_000, operator_id(KEY.public), PROFILE.url, PROFILE.coordinator_key)


def test_a_token_is_private_and_comes_back_until_it_ends(tmp_path: Path) -> None:
    assert load_token(tmp_path, PROFILE, KEY, 0) is None
    save_token(tmp_path, PROFILE, TOKEN)
    assert (tmp_path / "tokens" / "lab.json").stat().st_mode & 0o777 == 0o600
    assert load_token(tmp_path, PROFILE, KEY, 900) == "t"
    assert load_token(tmp_path, PROFILE, KEY, 971) is None
    forget_token(tmp_path, PROFILE)
    assert load_token(tmp_path, PROFILE, KEY, 0) is None


@pytest.mark.parametrize(
    "profile",
    [
        msgspec.structs.replace(PROFILE, url="https://other:1"),
        msgspec.structs.replace(PROFILE, coordinator_key="b" * 64),
    ],
)
def test_a_token_is_never_shown_to_somebody_else(tmp_path: Path, profile: Profile) -> None:
    save_token(tmp_path, PROFILE, TOKEN)
    assert load_token(tmp_path, profile, KEY, 0) is None
    assert load_token(tmp_path, PROFILE, SigningKey(b"\x02" * 32), 0) is None


def test_a_damaged_token_costs_a_log_in_and_nothing_more(tmp_path: Path) -> None:
    save_token(tmp_path, PROFILE, TOKEN)
    (tmp_path / "tokens" / "lab.json").write_text("{")
    assert load_token(tmp_path, PROFILE, KEY, 0) is None


def test_a_refused_token_is_replaced_once(lena: Person, coordinator: FakeCoordinator) -> None:
    """A coordinator that has forgotten its sessions costs one more log-in, not an error."""
    assert lena.types("agents list").code == 0
    answers = [problem(401, "unauthorized", "no such session")]
    good = coordinator._handlers["GET", "/api/v1/agents"]
    coordinator.on("GET", "/agents", lambda request: answers.pop() if answers else good(request))
    assert lena.types("agents list").code == 0
    assert len(coordinator.sent("POST", "/auth/verify")) == 2
    coordinator.on("GET", "/agents", problem(401, "unauthorized", "no such session"))
    shown = lena.types("agents list")
    assert shown.code == 3
    assert len(coordinator.sent("POST", "/auth/verify")) == 3


def test_a_changed_coordinator_names_both_keys() -> None:
    error = coordinator_changed(PROFILE, "c" * 64)
    assert isinstance(error, UntrustedError)
    assert "aaaa" in error.where
    assert "cccc" in error.where
