"""One line of the log: what it holds, and the bytes that go into the tree for it.

Pure.  A line is one leaf: the canonical JSON of its fields (sorted keys, no spaces, UTF-8).  What
always holds: texts from outside are cut to size and freed of what a database or a terminal would
choke on, so that an attempt cannot escape the log by its spelling; and the same row gives the same
bytes in any program that writes canonical JSON.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as _quoted
from typing import Any

from recordings.errors import AuditError
from recordings.tables import OUTCOMES

WIDTHS = {"action": 100, "actor": 100, "origin": 200, "obj": 200}
MAX_DETAIL = 8000
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Noted:
    """A line that has no number yet; `detail` is canonical JSON already."""

    action: str
    actor: str
    origin: str
    obj: str
    outcome: str
    at: int
    grant: int | None
    detail: str


def noted(
    action: str,
    *,
    actor: str,
    origin: str,
    obj: str,
    outcome: str,
    at: int,
    grant: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Noted:
    """A line in the making; `action` reads `source:subject:action`, `at` is µs UTC.

    `detail` holds JSON values without floats, codes and ids only: no number or name of a caller.
    Raises AuditError for an unknown outcome or a detail that is too long or no JSON.
    """
    if outcome not in OUTCOMES:
        raise AuditError(f"未知的结果：{outcome!r}。 Unknown outcome: {outcome!r}.")
    texts = {"action": action, "actor": actor, "origin": origin, "obj": obj}
    clean = {name: _clean(text, WIDTHS[name]) for name, text in texts.items()}
    return Noted(**clean, outcome=outcome, at=at, grant=grant, detail=_detail(detail or {}))


def leaf(
    line: int,
    at: int,
    action: str,
    actor: str,
    origin: str,
    obj: str,
    outcome: str,
    grant: int | None,
    detail: str,
) -> bytes:
    """The line as it goes into the tree: canonical JSON of its fields, UTF-8.

    Raises TypeError or ValueError for what no line can hold (a row altered to another type).
    """
    return (
        f'{{"action":{_quoted(action)},"actor":{_quoted(actor)},"at":{at},'
        f'"detail":{_quoted(detail)},"grant":{"null" if grant is None else grant},"line":{line},'
        f'"object":{_quoted(obj)},"origin":{_quoted(origin)},"outcome":{_quoted(outcome)}}}'
    ).encode()


def _detail(detail: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(detail, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise AuditError("日志细节不是 JSON。 The detail of a line must be JSON.") from error
    if len(text) > MAX_DETAIL:
        raise AuditError("日志细节过长。 The detail of a line is too long.")
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _clean(text: str, width: int) -> str:
    printable = text
    if not text.isprintable():
        printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return printable if len(printable) <= width else printable[: width - 1] + "…"
