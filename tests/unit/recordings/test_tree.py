"""The Merkle tree against the plain recursive definition of RFC 6962, and its proofs."""

import hashlib

import pytest

from recordings import tree

LEAVES = [tree.leaf_hash(str(i).encode()) for i in range(70)]


def definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    left, right = definition(leaves[:k]), definition(leaves[k:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def grown(count: int) -> tuple[list[bytes], dict[tuple[int, int], bytes]]:
    frontier: list[bytes] = []
    nodes: dict[tuple[int, int], bytes] = {}
    for size, leaf in enumerate(LEAVES[:count]):
        frontier, done = tree.append(frontier, size, leaf)
        for level, node in enumerate(done):
            nodes[level, size >> level] = node
    return frontier, nodes


@pytest.mark.parametrize("count", range(70))
def test_the_root_is_the_definitions(count: int) -> None:
    """Grown one leaf at a time, the tree has the root the RFC defines, at every size."""
    assert tree.root(grown(count)[0]) == definition(LEAVES[:count])


@pytest.mark.parametrize("count", range(1, 70))
def test_every_leaf_is_proved_and_no_other(count: int) -> None:
    """A proof convinces for its leaf and place alone, and is no longer than a logarithm."""
    frontier, nodes = grown(count)
    root = tree.root(frontier)
    for index in range(count):
        path = tree.inclusion_path(index, count, lambda level, at: nodes[level, at])
        assert len(path) <= (count - 1).bit_length()
        assert tree.included(LEAVES[index], index, count, path, root)
        assert not tree.included(LEAVES[index + 1], index, count, path, root) or index + 1 == 70
        assert not tree.included(LEAVES[index], index + 1, count, path, root)
        assert not tree.included(
            LEAVES[index], index, count, [*path, path[0] if path else root], root
        )


def test_known_roots() -> None:
    """The empty tree's root and one leaf's are those everybody computes (RFC 6962)."""
    assert tree.root([]).hex().startswith("e3b0c442")
    assert tree.leaf_hash(b"").hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
