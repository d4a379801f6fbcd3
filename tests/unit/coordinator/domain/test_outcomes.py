"""Outcomes that can only be a record."""

from __future__ import annotations

import pytest

from coordinator.domain.outcomes import sure
from coordinator.store import records
from tests.fakes.api_site import APPROVED, Desk


def test_a_record_comes_back_and_anything_else_is_a_bug() -> None:
    desk = Desk.open()
    record = desk.store.read_now(lambda tx: records.get_by_uid(tx, "node", APPROVED))
    assert sure(record, "a node") is record
    with pytest.raises(AssertionError, match="a node: NotFound"):
        sure(records.NotFound("x"), "a node")
