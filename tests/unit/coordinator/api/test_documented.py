"""What is added to the document by hand."""

from __future__ import annotations

from coordinator.api import documented
from coordinator.app import framework


def test_every_tag_is_described_and_every_description_used() -> None:
    schema = framework().openapi_schema.to_schema()
    used = {
        tag
        for item in schema["paths"].values()
        for operation in item.values()
        for tag in operation.get("tags", ())
    }
    assert used == {name for name, _ in documented.TAGS}


def test_every_creating_post_takes_an_idempotency_key() -> None:
    """A key is an operator's: strangers, at log-in or for a public key, have none."""
    schema = framework().openapi_schema.to_schema()
    without = {
        path
        for path, item in schema["paths"].items()
        if "post" in item
        and not any(p["name"] == "Idempotency-Key" for p in item["post"].get("parameters", ()))
    }
    assert without == {
        # It only reads, and is a POST for the size of what it asks.
        "/api/v1/commands/preview",
        "/api/v1/auth/challenge",
        "/api/v1/auth/verify",
        "/api/v1/auth/logout",
        "/v1/auth/logout",
        "/api/v1/clusters/default/enrollment_keys/public",
    }
