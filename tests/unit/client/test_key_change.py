"""Changing one's own key: what the old key names, and what an admin is shown of it."""

from __future__ import annotations

import pytest

from client import key_change
from client.failures import BadUsageError
from protocol import ids, sealing
from protocol.keys import SigningKey
from protocol.roster import Roster, RosterOperator, TrustedRoster
from tests.fakes.operators import Operator, first_roster

OLD, NEW, EVE = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))
OMAR = RosterOperator(ids.operator_id(OLD.public), "omar", OLD.public.hex(), "operator")


def test_an_admin_reads_what_the_old_key_has_named() -> None:
    line = key_change.statement(OLD, NEW, 1_790_000_000.9)
    sealed_to = sealing.operator_key(NEW.seed()).public.hex()
    assert key_change.read_statement(line, OMAR) == (NEW.public, sealed_to)
    assert NEW.seed().hex() not in line


@pytest.mark.parametrize("line", ["", "!", "AAAA", key_change.statement(OLD, NEW, 1.0)[:-9]])
def test_what_is_no_statement_is_said_to_be_none(line: str) -> None:
    with pytest.raises(BadUsageError, match="no statement"):
        key_change.read_statement(line, OMAR)


def test_nobody_else_names_a_successor() -> None:
    """A statement by another key gives nobody another's place."""
    with pytest.raises(BadUsageError, match="omar has not named"):
        key_change.read_statement(key_change.statement(EVE, NEW, 1.0), OMAR)


def test_role_name_and_grants_stay_and_so_does_everybody_else() -> None:
    ada = Operator()
    held = Roster(1, 1, (ada.entry(), OMAR), 1, "", 1_000)
    trusted = TrustedRoster(held, "ab" * 32, first_roster(ada))
    changed = key_change.replaced(trusted, OMAR, NEW.public, "cd" * 32, 2_000.5)
    assert (changed.version, changed.previous, changed.issued_at) == (2, "ab" * 32, 2_000)
    assert changed.operators[0] == ada.entry()
    omar = changed.operators[1]
    assert (omar.username, omar.role, omar.sealing_key) == ("omar", "operator", "cd" * 32)
    assert omar.operator_id == ids.operator_id(NEW.public)
