"""Refusals as values."""

from __future__ import annotations

from coordinator.domain import refusals


def test_a_missing_object_is_named_and_a_long_name_is_cut() -> None:
    refusal = refusals.not_found("agent", "x" * 10_000)
    assert refusal.kind == "not_found"
    assert len(refusal.message) < 200


def test_a_wrong_field_stands_in_the_details() -> None:
    refusal = refusals.invalid("name", "too long", "validation_failed")
    assert refusal.kind == "validation_failed"
    assert refusal.details == {"name": ("too long",)}


def test_a_stale_version_says_both_numbers() -> None:
    refusal = refusals.stale("the agent", 3, 7)
    assert refusal.kind == "conflict"
    assert "at version 7, not 3" in refusal.message
