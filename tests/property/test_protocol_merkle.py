"""Merkle trees against a naive reading of RFC 6962, section 2.1."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from protocol import merkle

LEAVES = st.lists(st.binary(max_size=4), min_size=1, max_size=40)


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of the RFC, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of the RFC, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


@given(LEAVES, st.data())
def test_root_and_branch_are_those_of_the_rfc_and_hold(
    leaves: list[bytes], data: st.DataObject
) -> None:
    """For every tree and every leaf."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    top = merkle.root(leaves)
    path = merkle.branch(leaves, index)
    assert top == naive_root(leaves)
    assert list(path) == naive_path(index, leaves)
    assert merkle.verify(top, leaves[index], index, len(leaves), path)


@given(LEAVES, st.data())
def test_a_branch_holds_for_its_own_leaf_place_and_path_only(
    leaves: list[bytes], data: st.DataObject
) -> None:
    """Another leaf, place, or changed path is refused."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    top, path = merkle.root(leaves), list(merkle.branch(leaves, index))
    other = (
        data.draw(st.integers(0, len(leaves) - 1).filter(lambda i: i != index))
        if len(leaves) > 1
        else None
    )
    assert not merkle.verify(top, leaves[index] + b"x", index, len(leaves), path)
    if other is not None and leaves[other] != leaves[index]:
        assert not merkle.verify(top, leaves[other], index, len(leaves), path)
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
        changed = [*path[:at], flipped, *path[at + 1 :]]
        assert not merkle.verify(top, leaves[index], index, len(leaves), changed)
