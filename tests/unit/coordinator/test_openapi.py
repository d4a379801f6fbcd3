"""The printed API document."""

from __future__ import annotations

import json

from coordinator.openapi import document


def test_it_is_json_and_the_same_each_time() -> None:
    text = document()
    assert text == document()
    assert "/api/v1/status" in json.loads(text)["paths"]
