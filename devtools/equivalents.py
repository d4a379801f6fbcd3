"""Faults that no test can notice, because the code means the same with them, and why."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {
    "protocol/dsse.py _unbase64: True -> False": (
        "what a lax decoder would skip is found by encoding the bytes again and comparing"
    ),
}
