"""The operator behind a request."""

from __future__ import annotations

from coordinator.domain.actor import Actor
from coordinator.store.events import Principal


def test_the_event_log_names_an_operator_by_id_and_name() -> None:
    assert Actor("id", "ada", "admin").principal() == Principal("operator", "id", "ada")
