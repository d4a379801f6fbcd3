"""One row of a benchmark's object, as `devtools.benching` reads it."""

from __future__ import annotations


def row(
    name: str, seconds: float, base: float | None = None, base_name: str | None = None
) -> dict[str, object]:
    """Return a row in milliseconds, with its ratio to what `base_name` took."""
    return {
        "name": name,
        "value": round(seconds * 1000, 3),
        "unit": "ms",
        "ratio": None if base is None else round(seconds / base, 3),
        "ratio_to": base_name,
    }
