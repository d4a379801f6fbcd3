"""Merkle trees against the published vectors of certificate transparency."""

from __future__ import annotations

import hashlib

import pytest

from protocol import merkle

# The eight leaves and the roots over the first n of them, as the log's reference tests have them.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("count", range(9))
def test_the_roots_are_the_published_ones(count: int) -> None:
    """The tree over the first n leaves has the root that the log's reference has."""
    assert merkle.root(LEAVES[:count]).hex() == ROOTS[count]


def test_the_published_branches_hold() -> None:
    """Leaf 5 of 8 has the published audit path, from the bottom up."""
    path = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [step.hex() for step in merkle.branch(LEAVES, 5)] == path


def test_a_node_is_not_a_leaf() -> None:
    """An inner node's two hashes, shown as a leaf, do not give the root again."""
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    top = merkle.root([b"a", b"b"])
    assert not merkle.verify(top, left + right, 0, 1, [])
    assert merkle.leaf_hash(left + right) != hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize(("index", "count"), [(-1, 8), (8, 8), (0, 0), (5, 4), (5, 2**64)])
def test_a_place_outside_the_tree_does_not_hold(index: int, count: int) -> None:
    """Index and count are part of the claim."""
    path = merkle.branch(LEAVES, 5)
    assert not merkle.verify(merkle.root(LEAVES), LEAVES[5], index, count, path)


def test_a_path_of_another_length_does_not_hold() -> None:
    """Neither a longer nor a shorter path leads to the root."""
    path = merkle.branch(LEAVES, 5)
    top = merkle.root(LEAVES)
    assert merkle.verify(top, LEAVES[5], 5, 8, path)
    assert not merkle.verify(top, LEAVES[5], 5, 8, path[:-1])
    assert not merkle.verify(top, LEAVES[5], 5, 8, [*path, b"\0" * 32])
    assert not merkle.verify(top, LEAVES[5], 5, 8, path * 20)


def test_there_is_no_branch_of_a_leaf_that_is_not_there() -> None:
    """A wrong index is a bug of the caller."""
    for index in (-1, 8):
        with pytest.raises(IndexError):
            merkle.branch(LEAVES, index)


def test_a_place_outside_the_tree_proves_nothing() -> None:
    """A tree of one leaf has one place, and its proof is empty."""
    top = merkle.root([b"a"])
    assert merkle.verify(top, b"a", 0, 1, ())
    for index, count in ((1, 1), (-1, 1), (0, 0), (2, 1)):
        assert not merkle.verify(top, b"a", index, count, ())


def test_a_branch_is_as_long_as_any_tree_of_ours_and_no_longer() -> None:
    """A longer one is refused before it is hashed, even if it would hold."""
    current = merkle.leaf_hash(b"a")
    path: list[bytes] = []
    for number in range(merkle.MAX_BRANCH + 1):
        if number == merkle.MAX_BRANCH:
            assert merkle.verify(current, b"a", 0, 2**number, path)
        path.append(bytes([number]) * 32)
        current = hashlib.sha256(b"\x01" + current + path[-1]).digest()
    assert not merkle.verify(current, b"a", 0, 2 ** (merkle.MAX_BRANCH + 1), path)
