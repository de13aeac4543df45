"""HTTP byte ranges as RFC 9110 section 14 writes them.

Pure.  A Range header that is not understood is ignored (the whole is served, section 14.2); one
that is understood and lies wholly outside raises RangeInvalid (status 416).  Many small or
overlapping ranges are a way to make a server work for nothing: more than MAX_RANGES, or any two
that overlap, are refused like one that cannot be satisfied.
"""

import itertools
import re

from recordings.errors import RangeInvalid

MAX_RANGES = 8
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_DIGITS = 18
"""A number of more digits is larger than any recording: what exactly it is does not matter."""


def parse(header: str | None, size: int) -> list[tuple[int, int]] | None:
    """The asked ranges as [start, stop), in the asked order; None where the whole is meant.

    `size` is the length in bytes.  Raises RangeInvalid.
    """
    if header is None:
        return None
    unit, separator, listed = header.partition("=")
    if not separator or unit.strip().lower() != "bytes":
        return None
    specs = [_SPEC.fullmatch(spec.strip()) for spec in listed.split(",") if spec.strip()]
    if not specs:
        return None
    if len(specs) > MAX_RANGES:
        raise _invalid()
    found: list[tuple[int, int]] = []
    for spec in specs:
        if spec is None or not any(spec.groups()) or _backwards(spec):
            return None
        one = _resolve(spec[1], spec[2], size)
        if one:
            found.append(one)
    if size == 0 and any(spec and not spec[1] and _number(spec[2]) for spec in specs):
        return None  # satisfiable, and the whole of nothing has no Content-Range (14.1.2, 14.4)
    if not found or _overlap(found):
        raise _invalid()
    return found


def content_range(start: int, stop: int, size: int) -> str:
    """The Content-Range of one part (section 14.4)."""
    return f"bytes {start}-{stop - 1}/{size}"


def unsatisfied(size: int) -> str:
    """The Content-Range of a 416."""
    return f"bytes */{size}"


def _resolve(first: str, last: str, size: int) -> tuple[int, int] | None:
    if not first:  # the last n bytes
        start = max(0, size - _number(last))
        return (start, size) if start < size else None
    start = _number(first)
    stop = min(_number(last) + 1, size) if last else size
    return (start, stop) if start < size else None


def _backwards(spec: re.Match[str]) -> bool:
    first, last = (spec[side].lstrip("0") for side in (1, 2))
    return bool(spec[1] and spec[2]) and (len(last), last) < (len(first), first)


def _number(digits: str) -> int:
    """The number, of one too large for any size just a large one: its length is the client's."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _DIGITS else 10**_DIGITS


def _overlap(found: list[tuple[int, int]]) -> bool:
    ordered = sorted(found)
    return any(a[1] > b[0] for a, b in itertools.pairwise(ordered))


def _invalid() -> RangeInvalid:
    return RangeInvalid("请求的区间不存在。 The asked range does not exist.")
