"""Conditional requests as RFC 9110 section 13 has them, for something that has a tag and no date.

Pure.  A recording never changes under its tag, and no Last-Modified is sent for it; the
conditions on dates (If-Modified-Since, If-Unmodified-Since, a date in If-Range) therefore never
hold anything back (13.1.3, 13.1.4) nor let a range through (13.1.5).  The order is that of
section 13.2.2.  What a range is, ranges.py knows.
"""

import re
from collections.abc import Mapping

_TAGS = re.compile(r'[ \t]*,*[ \t]*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)')


def evaluate(method: str, headers: Mapping[str, str], etag: str) -> int | None:
    """The status that ends the request (304 or 412), or None to go on with it.

    `etag` is strong and quoted; header names are lower case, repeated headers joined by commas.
    """
    if (wanted := headers.get("if-match")) is not None and not _matches(wanted, etag):
        return 412
    if (held := headers.get("if-none-match")) is not None and _matches(held, etag, weakly=True):
        return 304 if method in ("GET", "HEAD") else 412
    return None


def range_counts(method: str, headers: Mapping[str, str], etag: str) -> bool:
    """Whether the Range header is to be looked at: of a GET, and asked of this very thing.

    If-Range compares strongly (13.1.5); HEAD knows no ranges (14.2).
    """
    return method == "GET" and headers.get("if-range", etag).strip() == etag


def _matches(listed: str, etag: str, *, weakly: bool = False) -> bool:
    """Whether a list of tags names this one (8.8.3.2); one that is malformed names nothing."""
    if listed.strip() == "*":
        return True
    at = 0
    while found := _TAGS.match(listed, at):
        tag, at = found[1], found.end()
        if tag == etag or (weakly and tag.removeprefix("W/") == etag):
            return True
    return False
