"""`python -m coordinator.openapi`: print the API document. Starts nothing and writes no file."""

from __future__ import annotations

import json
import sys

from coordinator.app import framework


def document() -> str:
    """Return the API document as JSON text, the same for the same routes."""
    schema = framework().openapi_schema.to_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
