"""Numbers and nouns agree."""

from __future__ import annotations

import pytest

from client.render.words import counted, plural


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 hosts"), (1, "1 host"), (2, "2 hosts"), (21, "21 hosts")]
)
def test_only_one_is_singular(number: int, words: str) -> None:
    assert counted(number, "host") == words
    assert words.endswith(plural(number, "host"))
