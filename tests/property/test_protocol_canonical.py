"""Laws of canonical JSON: one value, one form; and nothing else is taken."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from protocol import canonical
from protocol.canonical import MAX_INTEGER, Json
from protocol.errors import DecodeError

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
VALUE: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def loose(value: Json) -> bytes:
    """Return a value as some other writer may write it."""
    return json.dumps(value).encode()


def units_of(text: str) -> list[int]:
    """Return the UTF-16 code units of a text as numbers."""
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]


def in_utf16_order(value: object) -> bool:
    """Say whether all keys stand in the order of their UTF-16 units, read one by one."""
    if isinstance(value, dict):
        units = [units_of(key) for key in value]
        return units == sorted(units) and all(map(in_utf16_order, value.values()))
    return not isinstance(value, list) or all(map(in_utf16_order, value))


@given(VALUE)
def test_decoding_what_was_encoded_gives_the_value_back(value: Json) -> None:
    """Nothing is lost, and any JSON reader reads the same."""
    data = canonical.encode(value)
    assert canonical.decode(data) == value
    assert json.loads(data) == value
    assert in_utf16_order(canonical.decode(data))


@given(VALUE, st.randoms(use_true_random=False))
def test_the_order_of_keys_given_makes_no_difference(value: Json, chance: object) -> None:
    """Two dicts with the same entries have the same bytes."""

    def shuffled(part: Json) -> Json:
        if isinstance(part, dict):
            items = list(part.items())
            chance.shuffle(items)  # type: ignore[attr-defined]  # hypothesis' Random
            return {key: shuffled(item) for key, item in items}
        return [shuffled(item) for item in part] if isinstance(part, list) else part

    assert canonical.encode(shuffled(value)) == canonical.encode(value)


@given(st.one_of(st.binary(max_size=40), TEXT.map(str.encode), VALUE.map(loose)))
def test_what_is_decoded_encodes_to_the_same_bytes_or_is_refused(data: bytes) -> None:
    """No two byte strings decode to one value."""
    try:
        value = canonical.decode(data)
    except DecodeError:
        return
    assert canonical.encode(value) == data


@given(VALUE, st.data())
def test_a_changed_byte_never_means_the_same_value(value: Json, data: st.DataObject) -> None:
    """Every change of one byte is refused or is another value."""
    encoded = bytearray(canonical.encode(value))
    index = data.draw(st.integers(0, len(encoded) - 1))
    encoded[index] ^= data.draw(st.integers(1, 255))
    try:
        changed = canonical.decode(bytes(encoded))
    except DecodeError:
        return
    # True == 1 in Python, so the forms are compared and not the values.
    assert canonical.encode(changed) != canonical.encode(value)
