"""The register form as a document: what it says, what it keeps back, and that it runs nothing."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from gateway import saving
from gateway.tables import TicketRow, WorkOrderRow
from gateway.tickets import forms

NOW = 1_795_417_200_000_000
ID = "110101199003070013"


def ticket(**more: object) -> TicketRow:
    fields: dict[str, object] = {
        "channel": "phone", "kind": "complaint", "complaint_class": "attitude", "level": "major",
        "opened_at": NOW, "caller_name": "张建国", "caller_phone": "13800138000",
        "caller_sex": "male", "caller_id_number": ID, "caller_address": "科技大道 88 号",
        "confidential": False, "subject_department": "养老处", "subject_window": "12 号窗口",
        "subject_staff": "", "summary": "三次退件", "demand": "书面答复", "evidence": "",
        "acceptance_no": "(滨海市)社保受理[2026] 000017号", "accepted_at": NOW,
    }  # fmt: skip
    return TicketRow(**(fields | more))


def order() -> WorkOrderRow:
    return WorkOrderRow(number="WO-2026-000017", department="sb", lead=True, question="请核实",
                        due_at=NOW)  # fmt: skip


def document(row: TicketRow) -> str:
    return forms.register(row, order(), forms.Names("社保局", "王小梅"), NOW)


class Cells(HTMLParser):
    """What stands in the table's cells, and every tag there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open = tag == "td"
        if self._open:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.cells[-1] += data


def test_it_says_what_the_record_says() -> None:
    """Protects: the printed form and the record are one; what is not known is a dash."""
    cells = Cells(document(ticket())).cells
    for said in (
        "(滨海市)社保受理[2026] 000017号", "WO-2026-000017　社保局（主办）", "投诉举报 · 服务态度",
        "重大", "2026-11-23 15:00", "王小梅", "2026-11-23", "张建国", "男",
        "13800138000", "养老处 · 12 号窗口", "三次退件", "书面答复", "无", "请核实",
    ):  # fmt: skip
        assert said in cells, said
    assert "—" in Cells(document(ticket(caller_address=""))).cells


def test_of_a_confidential_matter_it_does_not_name_the_person() -> None:
    """Protects: 保密: the department reads the matter and nothing of who brought it."""
    text = document(ticket(confidential=True))
    for secret in ("张建国", "13800138000", "科技大道", ID[-4:], ID):
        assert secret not in text
    assert "保密" in text
    assert "三次退件" in text


def test_an_identity_number_goes_out_by_its_end_alone() -> None:
    """Protects: DESIGN §3, promise 10: who need not know it is not told it."""
    text = document(ticket())
    assert "*" * 14 + "0013" in Cells(text).cells
    assert ID not in text
    assert "***" not in document(ticket(caller_id_number=""))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00\r")))
def test_what_people_typed_stays_text(typed: str) -> None:
    """Protects: whatever was typed into the register form is shown as typed and makes no tag: the
    document is opened by who did not type it."""
    plain = Cells(document(ticket()))
    found = Cells(document(ticket(summary=typed, caller_name=typed, subject_staff=typed)))
    assert (found.tags, found.attributes) == (plain.tags, plain.attributes)
    assert found.cells.count(typed or "—") >= 1
    assert len(found.cells) == len(plain.cells)
    assert found.attributes == {
        "charset", "class", "colspan", "content", "lang", "name", "scope",
    }  # fmt: skip


def test_its_policy_fits_its_style() -> None:
    """Protects: a browser shows the form as it is meant to look, and lets it do nothing else."""
    style = re.search(r"<style>(.*?)</style>", document(ticket()), re.DOTALL)
    assert style
    wanted = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{wanted}'" in forms.POLICY
    answer = saving.shown(b"x")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
