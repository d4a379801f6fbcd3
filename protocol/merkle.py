"""Merkle trees as in RFC 6962, section 2.1: leaf and node hashes differ in their first byte.

A decision over many hosts signs one root; a host needs only its own leaf and branch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

# A tree of 2**20 leaves has branches of 20 hashes; a fleet of 100,000 hosts needs 17.
MAX_BRANCH = 32


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    # The largest power of two smaller than count.
    return 1 << ((count - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the tree's root; the root of no leaves is SHA-256 of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [leaf_hash(leaf) for leaf in leaves]
    return _root(level)


def _root(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    cut = _split(len(hashes))
    return _node(_root(hashes[:cut]), _root(hashes[cut:]))


def branch(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the audit path of one leaf, from the bottom up.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    return tuple(_branch([leaf_hash(leaf) for leaf in leaves], index))


def _branch(hashes: Sequence[bytes], index: int) -> list[bytes]:
    if len(hashes) == 1:
        return []
    cut = _split(len(hashes))
    if index < cut:
        return [*_branch(hashes[:cut], index), _root(hashes[cut:])]
    return [*_branch(hashes[cut:], index - cut), _root(hashes[:cut])]


def verify(expected: bytes, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bool:
    """Say whether the leaf stands at `index` of a tree of `count` leaves with the expected root."""
    if not 0 <= index < count or len(path) > MAX_BRANCH:
        return False
    node, last = index, count - 1
    current = leaf_hash(leaf)
    for sibling in path:
        if last == 0:
            return False
        if node % 2 == 1 or node == last:
            current = _node(sibling, current)
            # An even node that is the last is not 0, so this ends.
            while node % 2 == 0:
                node >>= 1
                last >>= 1
        else:
            current = _node(current, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and current == expected
