"""Canonical JSON (RFC 8785 restricted to null, booleans, integers, strings, lists, maps).

One value has one byte form, so a hash or a signature over it means one thing.
Floats are refused: their printed form is where implementations differ.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, cast

from protocol.errors import DecodeError

_KINDS = "null, true, false, integer, string, list, object"

# Integers stay inside what an IEEE double holds exactly (RFC 7493, section 2.2): 2**53 - 1.
MAX_INTEGER = 2**53 - 1
# Nesting deeper than this is never ours; it bounds the recursion of the encoder and the checker.
MAX_DEPTH = 32

if TYPE_CHECKING:
    Json = None | bool | int | str | list["Json"] | dict[str, "Json"]
else:
    # msgspec cannot decode recursive aliases; at run time any JSON value passes, `encode` checks.
    Json = object


def encode(value: Json) -> bytes:
    """Return the one byte form of a value.

    Raises:
        DecodeError: the value holds a float, a huge integer, a non-string key or is too deep.
    """
    _check(value, 0)
    text = json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def decode(data: bytes) -> Json:
    """Return the value of canonical bytes, refusing every other byte form of the same value.

    Raises:
        DecodeError: not JSON, repeated keys, or not the canonical form.
    """
    try:
        value: Json = json.loads(data, object_pairs_hook=_unique, parse_float=_no_float)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not canonical JSON: {error}") from error
    if encode(value) != data:
        raise DecodeError("JSON is not in canonical form (key order, spaces or escapes differ)")
    return value


def digest(value: Json) -> str:
    """Return the SHA-256 of the canonical form as 64 lower-case hex digits."""
    return hashlib.sha256(encode(value)).hexdigest()


def _check(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DecodeError(f"nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _encodable(value)
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise DecodeError(f"integer {value} is outside ±(2^53 - 1)")
        return
    if isinstance(value, list):
        for item in cast("list[object]", value):
            _check(item, depth + 1)
    elif isinstance(value, dict):
        _check_object(cast("dict[object, object]", value), depth)
    else:
        raise DecodeError(f"{type(value).__name__} has no canonical form; use {_KINDS}")


def _check_object(value: dict[object, object], depth: int) -> None:
    for key, item in value.items():
        if not isinstance(key, str):
            raise DecodeError(f"object key {key!r} is not a string")
        _encodable(key)
        _check(item, depth + 1)


def _encodable(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DecodeError(f"string holds a lone surrogate at {error.start}") from error


def _sorted(value: Json) -> Json:
    # RFC 8785, section 3.2.3: keys are ordered by their UTF-16 code units.
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be"))
        return {key: _sorted(item) for key, item in pairs}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _unique(pairs: list[tuple[str, Json]]) -> Json:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is repeated")
    return result


def _no_float(text: str) -> Json:
    raise ValueError(f"{text} is not an integer")
