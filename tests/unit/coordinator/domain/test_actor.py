"""The operator behind a request."""

from __future__ import annotations

from coordinator.domain.actor import Actor, Grant
from coordinator.store.events import Principal


def test_the_event_log_names_an_operator_by_id_and_name() -> None:
    assert Actor("id", "ada", "admin").principal() == Principal("operator", "id", "ada")


def test_a_token_acts_as_its_maker_and_says_which_token_it_was() -> None:
    grant = Grant("ci", frozenset({"read"}), "*")
    actor = Actor("id", "ada", "viewer", "token", "ci", grant)
    assert actor.principal() == Principal("operator", "id", "ada (token ci)")
    assert grant.allows("read")
    assert not grant.allows("write")
    assert Grant("all", frozenset(), "*").allows("write")
