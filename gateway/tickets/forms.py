"""The register form (受理登记表) of a ticket, as a document of its own: to read, keep and print.

Made of the record as it stands whenever it is asked for, never kept: what is on paper is what the
record says. A department's copy names the caller as far as its work order does: where the caller
asked for confidentiality (保密) nothing of the person, else all but the identity number, of which
the last four stand there, enough to tell two people of one name apart.
Always holds: one file that asks for nothing from anywhere, runs nothing, and shows what people
typed as they typed it (`POLICY` lets a browser do no more). Pure: no clock, no database.
"""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from typing import Final

from gateway.tables import TicketRow, WorkOrderRow
from gateway.tickets import words
from gateway.tickets.clocks import china

REGISTER: Final = "register"
"""The code of the one form there is."""
MEDIA_TYPE: Final = "text/html"
STYLE: Final = """
@page { size: A4; margin: 16mm; }
body { max-width: 178mm; margin: 8mm auto; padding: 0 4mm; color: #14201c; background: #fff;
  font: 11pt/1.5 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", sans-serif; }
h1 { margin: 0; text-align: center; font-size: 18pt; letter-spacing: 0.2em; }
h1 + p, footer { text-align: center; color: #4a5652; font-size: 9pt; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th, td { border: 1px solid #444; padding: 2mm; text-align: left; vertical-align: top; }
col.what { width: 30mm; }
th { font-weight: 600; background: #f2f5f4; }
th small { display: block; font-weight: 400; color: #4a5652; }
td { white-space: pre-wrap; overflow-wrap: anywhere; }
tr { break-inside: avoid; }
.sign td { height: 14mm; }
@media print { body { margin: 0; padding: 0; } th { background: none; } }
"""
COLUMNS: Final = '<colgroup><col class="what"><col><col class="what"><col></colgroup>'
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy to show it under: its own style and nothing else."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the record holds by code and login, by the names that people read."""

    department: str
    owner: str


Line = tuple[str, str, str]
"""What it is, in Chinese and in English, and what is said of it."""
Rows = tuple[tuple[Line, ...], ...]
"""Lines by rows of the table: one over the whole width, or two."""


def name(order: WorkOrderRow) -> str:
    """What the file is called."""
    return f"受理登记表 {order.number}.html"


def register(ticket: TicketRow, order: WorkOrderRow, names: Names, now: int) -> str:
    """The copy for the department that has `order`, as HTML; made at `now` (µs)."""
    rows = [_row(pair) for pair in (*_matter(ticket, order, names), *_caller(ticket))]
    rows += [_row((line,)) for line in _said(ticket, order)]
    table = "\n".join(rows)
    title = f"受理登记表 {escape(order.number)}"
    return (
        f'<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head>\n<body><h1>受理登记表</h1>"
        f'<p lang="en">Register form</p>\n<table>\n{COLUMNS}\n{table}\n'
        '<tr class="sign"><th scope="row">承办人<small lang="en">Handled by</small></th>'
        '<td colspan="3">签名　　　　　　　　　　　　　　　年　　月　　日</td></tr>\n</table>\n'
        f'<footer><p>本表由登记记录生成于 {_minute(now)}。 <span lang="en">Made of the record as '
        "it stood then.</span></p></footer></body></html>\n"
    )


def _row(lines: tuple[Line, ...]) -> str:
    """One line over the whole width, or two beside each other."""
    span = "" if len(lines) > 1 else ' colspan="3"'
    cells = (
        f'<th scope="row">{zh}<small lang="en">{english}</small></th>'
        f"<td{span}>{escape(value) or '—'}</td>"
        for zh, english, value in lines
    )
    return f"<tr>{''.join(cells)}</tr>"


def _matter(ticket: TicketRow, order: WorkOrderRow, names: Names) -> Rows:
    kind = _word(words.KINDS, ticket.kind)
    if ticket.complaint_class:
        kind += f" · {_word(words.COMPLAINT_CLASSES, ticket.complaint_class)}"
    lead = "主办" if order.lead else "协办"
    return (
        (("受理编号", "Acceptance number", ticket.acceptance_no or ""),),
        (("派单", "Work order", f"{order.number}　{names.department}（{lead}）"),),
        (("来源", "Channel", _word(words.CHANNELS, ticket.channel)),
         ("来电时间", "Time", _minute(ticket.opened_at))),
        (("类别", "Kind", kind), ("级别", "Level", _word(words.LEVELS, ticket.level))),
        (("受理人", "Accepted by", names.owner),
         ("受理时间", "Accepted at", _minute(ticket.accepted_at))),
        (("答复期限", "Due", _minute(order.due_at)[:10] or "未定"),),
    )  # fmt: skip


def _caller(ticket: TicketRow) -> Rows:
    if ticket.confidential:
        return ((("来电人", "Caller", "保密：由热线代为联系。 Confidential."),),)
    known = ticket.caller_id_number
    masked = "*" * max(0, len(known) - 4) + known[-4:]
    return (
        (("来电人", "Caller", ticket.caller_name),
         ("性别", "Sex", _word(words.SEXES, ticket.caller_sex))),
        (("联系电话", "Telephone", ticket.caller_phone), ("身份证号", "ID number", masked)),
        (("单位或住址", "Employer, address", ticket.caller_address),),
    )  # fmt: skip


def _said(ticket: TicketRow, order: WorkOrderRow) -> tuple[Line, ...]:
    subject = (ticket.subject_department, ticket.subject_window, ticket.subject_staff)
    return (
        ("被投诉", "Complained of", " · ".join(filter(None, subject))),
        ("事项内容", "Summary", ticket.summary),
        ("诉求", "Demand", ticket.demand),
        ("证据", "Evidence", ticket.evidence or "无"),
        ("请部门答复", "To be answered", order.question),
    )


def _word(listed: words.Words, code: str) -> str:
    return words.names(listed).get(code, (code,))[0]


def _minute(at: int | None) -> str:
    return f"{china(at):%Y-%m-%d %H:%M}" if at else ""
