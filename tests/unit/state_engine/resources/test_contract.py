"""The values between kinds and engine."""

from __future__ import annotations

import msgspec
import pytest

from state_engine.resources.contract import (
    Context,
    Kind,
    RemoveDirectory,
    RemoveFile,
    SetAttributes,
    WriteFile,
)
from state_engine.resources.registry import KINDS


def test_steps_are_values_that_tell_themselves_apart() -> None:
    """Each step carries its tag, so a list of steps can be written down."""
    steps = (WriteFile("/a", b""), SetAttributes("/a"), RemoveFile("/a"), RemoveDirectory("/a"))
    tags = {msgspec.to_builtins(step)["type"] for step in steps}
    assert tags == {"WriteFile", "SetAttributes", "RemoveFile", "RemoveDirectory"}
    with pytest.raises(AttributeError):
        setattr(steps[0], "path", "/b")  # noqa: B010 - the type checker forbids the plain form


def test_a_context_without_triggers_is_not_triggered() -> None:
    """Nothing is assumed that was not said."""
    assert Context() == Context(triggers=(), applied=False, acted=False)


def test_every_registered_kind_keeps_the_contract() -> None:
    """The registry holds kinds by type, and each has every member of the protocol."""
    kinds: list[Kind] = list(KINDS.values())
    members = [name for name in vars(Kind) if not name.startswith("_")]
    assert all(hasattr(kind, name) for kind in kinds for name in members)
