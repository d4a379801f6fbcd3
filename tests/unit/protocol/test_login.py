"""The log-in statement binds coordinator, challenge, nonce and end."""

from __future__ import annotations

import itertools

from protocol import canonical, login


def test_each_part_is_in_the_statement_and_it_is_canonical() -> None:
    """Nothing can be passed on to another coordinator or another minute."""
    variants = list(itertools.product(("k1", "k2"), ("c1", "c2"), ("n1", "n2"), (1, 2)))
    statements = set(itertools.starmap(login.statement, variants))
    assert len(statements) == len(variants)
    for statement in statements:
        value = canonical.decode(statement)
        assert isinstance(value, dict)
        assert value["context"] == "standfast/login/v1"
