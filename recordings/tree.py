"""A Merkle tree as RFC 6962 section 2.1 hashes it, grown one leaf at a time.

Pure.  What always holds: the root depends on every leaf and on their order, and a leaf can never
be taken for a node (the 0x00 and 0x01 in front).  A tree of n leaves is carried as its frontier:
the hashes of the perfect subtrees n falls into, largest first, one for each 1 in n's binary form.
"""

import hashlib
from collections.abc import Callable, Sequence

HASH = 32
EMPTY = hashlib.sha256().digest()
"""The root of a tree without leaves."""

Node = Callable[[int, int], bytes]
"""`node(level, index)`: the hash of the index-th perfect subtree of 2**level leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(frontier: Sequence[bytes], size: int, leaf: bytes) -> tuple[list[bytes], list[bytes]]:
    """Add a leaf hash to a tree of `size` leaves.

    Returns the new frontier and the hashes of the perfect subtrees the leaf completes, itself
    first: one more than `size` has trailing ones.
    """
    rest, done = list(frontier), [leaf]
    while size & 1:
        done.append(node_hash(rest.pop(), done[-1]))
        size >>= 1
    return [*rest, done[-1]], done


def root(frontier: Sequence[bytes]) -> bytes:
    """The root hash of a tree, from its frontier."""
    if not frontier:
        return EMPTY
    hashed = frontier[-1]
    for left in reversed(frontier[:-1]):
        hashed = node_hash(left, hashed)
    return hashed


def inclusion_path(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of leaf `index` in a tree of `size` leaves (RFC 6962 section 2.1.1)."""
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _largest_power_below(stop - start)
        if index < middle:
            path.append(range_hash(middle, stop, node))
            stop = middle
        else:
            path.append(range_hash(start, middle, node))
            start = middle
    return path[::-1]


def consistency_path(first: int, second: int, node: Node) -> list[bytes]:
    """The proof that the tree of `first` leaves begins that of `second` (RFC 6962 section 2.1.2).

    0 < first ≤ second; a tree is consistent with itself by an empty path.
    """
    path: list[bytes] = []
    start, stop, left_edge = 0, second, True
    while first != stop:
        middle = start + _largest_power_below(stop - start)
        if first <= middle:
            path.append(range_hash(middle, stop, node))
            stop = middle
        else:
            path.append(range_hash(start, middle, node))
            start, left_edge = middle, False
    if not left_edge:  # the verifier has the first root, and not this part of it
        path.append(range_hash(start, stop, node))
    return path[::-1]


def consistent(
    first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Whether the path proves that the second tree grew out of the first.

    RFC 9162 section 2.1.4.2. Of an empty tree nothing can be proved: False.
    """
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    if first & first - 1 == 0:  # a perfect tree: its root is the first hash
        path = [first_root, *path]
    if not path:
        return False
    low, high = first - 1, second - 1
    while low & 1:
        low, high = low >> 1, high >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if high == 0:
            return False
        if low & 1 or low == high:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while low and not low & 1:
                low, high = low >> 1, high >> 1
        else:
            new = node_hash(new, sibling)
        low, high = low >> 1, high >> 1
    return high == 0 and old == first_root and new == second_root


def range_hash(start: int, stop: int, node: Node) -> bytes:
    """The hash of the subtree over leaves [start, stop), a subtree of the tree at `start`."""
    parts: list[bytes] = []
    while start < stop:
        level = _level_at(start, stop - start)
        parts.append(node(level, start >> level))
        start += 1 << level
    return root(parts)


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root_hash: bytes) -> bool:
    """Whether the path proves the leaf hash at `index` of the tree with that size and root.

    RFC 9162 section 2.1.3.2, the algorithm anybody else would use to check us.
    """
    if not 0 <= index < size or len(leaf) != HASH:
        return False
    first, last, hashed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if first & 1 or first == last:
            hashed = node_hash(sibling, hashed)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and hashed == root_hash


def _largest_power_below(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def _level_at(start: int, count: int) -> int:
    """The largest perfect subtree that begins at `start` and has at most `count` leaves."""
    level = count.bit_length() - 1
    return min(level, (start & -start).bit_length() - 1) if start else level
