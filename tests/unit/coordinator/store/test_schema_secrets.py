"""The tables of secrets."""

from __future__ import annotations

from coordinator.store.schema_secrets import secret_versions, secret_wraps


def test_no_column_is_meant_for_a_value() -> None:
    """What the coordinator keeps is ciphertext, and keys that only recipients open."""
    binary = {
        c.name for t in (secret_versions, secret_wraps) for c in t.columns if "BLOB" in str(c.type)
    }
    assert binary == {"ciphertext", "wrapped"}
