"""The Merkle tree against the plain recursive definition of RFC 6962, and its proofs."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from recordings import tree

VECTORS = Path(__file__).parents[2] / "vectors" / "merkle"
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


def vectors(kind: str) -> list[Path]:
    found = sorted((VECTORS / kind).rglob("*.json"))
    assert len(found) > 90
    return found


def spoken(path: Path) -> str:
    return str(path.relative_to(VECTORS))


def hashes(said: list[str] | None) -> list[bytes]:
    return [base64.b64decode(one) for one in said or ()]


@pytest.mark.parametrize("path", vectors("inclusion"), ids=spoken)
def test_public_inclusion_proofs(path: Path) -> None:
    """Our checker says of each proof what everybody else's says."""
    case = json.loads(path.read_text())
    leaf, root = hashes([case["leafHash"] or "", case["root"] or ""])
    said = tree.included(leaf, case["leafIdx"], case["treeSize"], hashes(case["proof"]), root)
    assert said is not case["wantErr"], case["desc"]


@pytest.mark.parametrize("path", vectors("consistency"), ids=spoken)
def test_public_consistency_proofs(path: Path) -> None:
    """The same for proofs that one tree grew out of another."""
    case = json.loads(path.read_text())
    first, second = hashes([case["root1"] or "", case["root2"] or ""])
    said = tree.consistent(case["size1"], case["size2"], hashes(case["proof"]), first, second)
    assert said is not case["wantErr"], case["desc"]


@pytest.mark.parametrize("second", range(1, 41))
def test_every_pair_of_sizes_is_consistent_and_no_other(second: int) -> None:
    """What we prove of two of our trees holds for these sizes and roots, and for nothing near."""
    frontier, nodes = grown(second)
    new = tree.root(frontier)
    for first in range(1, second + 1):
        old = tree.root(grown(first)[0])
        path = tree.consistency_path(first, second, lambda level, at: nodes[level, at])
        assert len(path) <= second.bit_length() + 1
        assert tree.consistent(first, second, path, old, new)
        if first < second:
            assert not tree.consistent(first, second, path, new, old)
            assert not tree.consistent(first, second, path[:-1], old, new)
        assert not tree.consistent(first, second, path, bytes(32), new)
        assert not tree.consistent(first, second, path, old, bytes(32))
        assert not tree.consistent(first, second, [*path, old], old, new)
        for other in range(1, second + 1):
            if other != first and other < second:
                assert not tree.consistent(other, second, path, old, new)
