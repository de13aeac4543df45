"""Files of tickets: kept as they came, and fetched by the department they were offered to alone."""

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Conflict, Gone, NotFound
from gateway.flow import attaching, files, handing, offering
from gateway.flow.control import Asking
from gateway.people import machines
from gateway.tables import (
    AttachmentLinkRow,
    AttachmentRow,
    TicketRow,
    TicketStepRow,
    WorkOrderRow,
)
from queueing.tables import OutboxRow
from recordings.store import DirectoryStore
from recordings.tables import AuditLineRow
from tests.acceptance.look_morning import Clock
from tests.rig.full_disk import room_for
from tests.unit.api.scene import PULLS, Scene

PUBLIC = "https://hotline.example"
PDF = b"%PDF-1.7\n" + bytes(range(256))
FORM = {"kind": "policy", "summary": "养老金", "caller_phone": "13800138013"}


def sent(name: str = "证明.pdf", content: bytes = PDF) -> dict[str, str]:
    return {"name": name, "content": base64.b64encode(content).decode()}


def attach(made: Scene, body: dict[str, str], login: str = "8001") -> Any:
    return made.ask(login, "POST", f"/tickets/{made.ids['ticket']}/attachments", body)


def offered(
    made: Scene, departments: list[str], public: str = PUBLIC, **fields: Any
) -> dict[str, dict[str, Any]]:
    """What each department is told when the ticket is dispatched, by its code."""
    settings = replace(made.parts.settings, public_url=public)
    made.parts = replace(made.parts, settings=settings)
    path = f"/tickets/{made.ids['ticket']}"
    made.ask("8001", "PATCH", path, {"fields": FORM | fields})
    made.ask("8001", "POST", path + "/accept")
    answer = made.ask("8001", "POST", path + "/dispatch", {"departments": departments})
    assert answer.status_code == 200, answer.text
    numbers = {one["number"] for one in answer.json()}
    return {one["department"]: one for one in messages(made) if one["work_order"] in numbers}


def messages(made: Scene) -> list[dict[str, Any]]:
    """What departments were told, in its order."""
    with made.parts.database.reading() as session:
        rows = session.query(OutboxRow).order_by(OutboxRow.id)
        return [json.loads(row.body)["data"] for row in rows]


def fetch(made: Scene, url: str, key: str) -> Any:
    assert url.startswith(PUBLIC)
    headers = {"Authorization": f"Bearer {key}"}
    return made.client().get(url.removeprefix(PUBLIC), headers=headers)


def test_a_file_reaches_its_department_and_no_other(anew: Scene) -> None:
    """Protects: the whole way: kept whole, named in the message with what it is, fetched with the
    department's key and with no other, and each fetch is on record."""
    ours, others = anew.machine(), anew.machine("jiuye")
    kept = attach(anew, sent()).json()
    assert (kept["name"], kept["media_type"], kept["size"]) == ("证明.pdf", "application/pdf", 265)
    told = offered(anew, [PULLS, "jiuye", "yanglao"])
    desk = told["yanglao"]
    assert desk["attachments"] == desk["forms"] == [], "a desk has no system that could fetch"
    (file,) = told[PULLS]["attachments"]
    (theirs,) = told["jiuye"]["attachments"]
    assert file["url"] != theirs["url"]
    assert file["sha256"] == kept["sha256"] == hashlib.sha256(PDF).hexdigest()
    refused = {others: 404, anew.token("officer"): 401, "x": 401, "": 401}
    for key, status in refused.items():
        assert fetch(anew, file["url"], key).status_code == status
    answer = fetch(anew, file["url"], ours)
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    token = file["url"].rpartition("/")[2]
    with anew.parts.database.reading() as session:
        links = session.query(AttachmentLinkRow).order_by(AttachmentLinkRow.id).all()
        assert [(row.department, row.fetched) for row in links if row.attachment_id] == [
            (PULLS, 1), ("jiuye", 0),
        ]  # fmt: skip
        assert all(token not in str(vars(row)) for row in links)
        line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(1).one()
        assert (line.action, line.actor) == ("queueing:attachment:fetch", f"department:{PULLS}")
        assert (line.obj, line.outcome) == (f"attachment:{kept['id']}", "ok")
        assert "证明" not in line.detail


def test_the_form_goes_the_same_way(anew: Scene) -> None:
    """Protects: the register form is fetched by the same kind of link, is made of the ticket as it
    stands then, and of a confidential matter does not name the person."""
    key = anew.machine()
    (form,) = offered(anew, [PULLS])[PULLS]["forms"]
    assert (form["form"], form["media_type"]) == ("register", "text/html")
    assert FORM["caller_phone"] in fetch(anew, form["url"], key).text
    with anew.parts.database.begin() as session:
        row = session.get_one(TicketRow, int(anew.ids["ticket"]))
        row.summary, row.confidential = "更正后的事项", True
    answer = fetch(anew, form["url"], key)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "更正后的事项" in answer.text
    assert FORM["caller_phone"] not in answer.text
    with anew.parts.database.reading() as session:
        line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(1).one()
        assert (line.action, line.obj) == ("queueing:attachment:fetch", "form:register")


def test_a_file_that_comes_later_is_told(anew: Scene) -> None:
    """Protects: whoever has the order in hand by a system of its own learns of a file that is added
    meanwhile, and those of before stand; a desk sees it on its page, who returned it gets nothing,
    and of a confidential matter nobody is told."""
    key = anew.machine()
    anew.machine("jiuye")
    attach(anew, sent())
    told = offered(anew, [PULLS, "jiuye", "yanglao"])
    gone = {"reason": "改派"}
    number = told["jiuye"]["work_order"]
    assert anew.ask("8001", "POST", f"/work-orders/{number}/withdraw", gone).is_success
    before = len(messages(anew))
    assert attach(anew, sent("补充.txt", b"later")).status_code == 201
    (change,) = messages(anew)[before:]
    assert (change["department"], change["version"]) == (PULLS, 2)
    assert (change["changed"], "补充.txt" in change["reason"]) == (["attachments"], True)
    (file,) = change["attachments"]
    assert (file["name"], fetch(anew, file["url"], key).content) == ("补充.txt", b"later")
    assert fetch(anew, told[PULLS]["attachments"][0]["url"], key).content == PDF
    with anew.parts.database.begin() as session:
        for order in session.query(WorkOrderRow).filter_by(department=PULLS):
            order.due_at = anew.parts.clock() - 40 * offering.DAY_US
    assert attach(anew, sent("迟.txt", b"late")).status_code == 201
    (file,) = messages(anew)[-1]["attachments"]
    assert fetch(anew, file["url"], key).content == b"late", "overdue is no reason to run out"
    with anew.parts.database.begin() as session:
        session.get_one(TicketRow, int(anew.ids["ticket"])).confidential = True
    assert attach(anew, sent("再补.txt", b"last")).status_code == 201
    assert len(messages(anew)) == before + 2


def test_what_else_a_program_may_ask_of_a_link(anew: Scene) -> None:
    """Protects: HEAD tells what GET would and sends nothing; a part is not to be had, and is not
    taken for the whole; nothing but GET and HEAD is answered."""
    key = anew.machine()
    attach(anew, sent())
    (file,) = offered(anew, [PULLS])[PULLS]["attachments"]
    headers = {"Authorization": f"Bearer {key}"}
    path = file["url"].removeprefix(PUBLIC)
    head = anew.client().head(path, headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(PDF))
    part = anew.client().get(path, headers=headers | {"Range": "bytes=0-3"})
    assert (part.status_code, part.content, part.headers["Accept-Ranges"]) == (200, PDF, "none")
    for method in ("POST", "PUT", "DELETE"):
        assert anew.client().request(method, path, headers=headers).status_code == 405


def test_a_link_ends(anew: Scene) -> None:
    """Protects: after its time, and as soon as its work order was returned or withdrawn."""
    key = anew.machine()
    attach(anew, sent())
    told = offered(anew, [PULLS])[PULLS]
    (file,) = told["attachments"]
    clock = anew.parts.clock
    days = 91 * 24 * 3600 * 1_000_000
    anew.parts = replace(anew.parts, clock=lambda: clock() + days)
    anew.keys.clear()
    late = fetch(anew, file["url"], anew.machine())
    assert (late.status_code, "过期" in late.json()["message"]) == (410, True)
    anew.parts = replace(anew.parts, clock=clock)
    assert fetch(anew, file["url"], key).status_code == 200
    why = {"reason": "改派"}
    assert anew.ask("8001", "POST", f"/work-orders/{told['work_order']}/withdraw", why).is_success
    for one in (file, told["forms"][0]):
        withdrawn = fetch(anew, one["url"], key)
        assert (withdrawn.status_code, "撤回" in withdrawn.json()["message"]) == (410, True)


def test_a_link_ends_with_its_time_and_not_before(anew: Scene) -> None:
    """Protects: thirty days after the answer is due, ninety at most: to the microsecond."""
    key = anew.machine()
    attach(anew, sent())
    told = offered(anew, [PULLS])[PULLS]
    with anew.parts.database.reading() as session:
        order = session.query(WorkOrderRow).filter_by(number=told["work_order"]).one()
        link = session.query(AttachmentLinkRow).filter_by(form=None).one()
    month = 30 * offering.DAY_US
    assert order.due_at is not None
    assert link.expires_at == min(order.due_at + month, link.made_at + 3 * month)
    url = told["attachments"][0]["url"]
    who = machines.Machine(1, PULLS)
    for at, ends in ((link.expires_at - 1, False), (link.expires_at, True)):
        parts = replace(anew.parts, clock=Clock(at))
        if ends:
            with pytest.raises(Gone, match="过期"):
                handing.fetch(parts, who, url.rpartition("/")[2], "-")
        else:
            assert handing.fetch(parts, who, url.rpartition("/")[2], "-").content == PDF
    assert fetch(anew, url, key).status_code == 200


def test_a_returned_work_order_opens_nothing(anew: Scene) -> None:
    """Protects: the department that says it is not theirs gets no more of it."""
    key = anew.machine()
    attach(anew, sent())
    told = offered(anew, [PULLS])[PULLS]
    said = {"specversion": "1.0", "id": "r1", "source": f"urn:12333:department:{PULLS}",
            "type": "cn.12333.reply.v1", "time": "2026-11-24T09:00:00+08:00",
            "data": {"event": "returned", "work_order": told["work_order"], "version": 1,
                     "department": PULLS, "by": "张三", "reason": "不属本部门"}}  # fmt: skip
    assert anew.turn("/replies", said).json()["receipt"] == "applied"
    assert fetch(anew, told["attachments"][0]["url"], key).status_code == 410


def test_nothing_is_offered_where_it_must_not_be(anew: Scene) -> None:
    """Protects: a file may show who the caller is: of a confidential matter none goes out."""
    anew.machine()
    attach(anew, sent())
    told = offered(anew, [PULLS], confidential="1")[PULLS]
    assert told["attachments"] == []
    assert len(told["forms"]) == 1
    with anew.parts.database.reading() as session:
        assert session.query(AttachmentLinkRow).filter_by(form=None).count() == 0


def test_without_an_address_nothing_is_offered(anew: Scene) -> None:
    """Protects: no message holds a link that leads nowhere."""
    anew.machine()
    attach(anew, sent())
    told = offered(anew, [PULLS], public="")[PULLS]
    assert told["attachments"] == told["forms"] == []


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("recording.wav", b"RIFF\x00\x00\x00\x00WAVE", "file"),
        ("recording.age", b"age-encryption.org/v1", "file"),
        ("page.html", b"<script>", "file"),
        ("x.pdf", b"RIFF", "file"),
        ("x.txt", b"\xff\x00", "file"),
        ("x.txt", b"a\x00", "file"),
        ("x.txt", b"", "file"),
        ("x.png", b"\x89PNG\r\n\x1a\n" + b"x" * (10 << 20), "file"),
        ("", PDF, "name"),
        ("a\nb.pdf", PDF, "name"),
        ("x" * 120 + ".pdf", PDF, "name"),
        ("fdp.\u202exe.pdf", PDF, "name"),
        ("call.mp3.pdf", b"ID3\x04", "file"),
        ("call.txt", b"#!AMR\n\xf8", "file"),
    ],
)
def test_what_is_not_taken(there: Scene, name: str, content: bytes, field: str) -> None:
    """Protects: only what the list names, that is what it says, whole and bounded: each is told
    what is wrong, and nothing is kept."""
    answer = attach(there, sent(name, content))
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    with there.parts.database.reading() as session:
        assert session.query(AttachmentRow).count() == 0


def test_a_way_before_the_name_is_no_part_of_it(anew: Scene) -> None:
    """Protects: a name leads nowhere, whatever a browser sends; and a ticket has so many files."""
    assert attach(anew, sent("..\\..\\etc/证明.pdf")).json()["name"] == "证明.pdf"
    for number in range(attaching.AT_MOST - 1):
        assert attach(anew, sent(content=PDF + bytes([number]))).status_code == 201
    assert attach(anew, sent(content=PDF + b"more")).status_code == 409
    assert attach(anew, sent(), "8002").status_code == 404


@given(st.text() | st.sampled_from(["2026/11/23/pbx1/1795400000.1-00000000.payload", "../x"]))
def test_a_recordings_object_cannot_be_named(name: str) -> None:
    """Protects: whatever stands in a row, its key lies under attachments/ and is made of 32 digits:
    no link ever leads to a recording."""
    try:
        key = files.key(name)
    except NotFound:
        return
    assert key.removeprefix("attachments/") == name
    assert len(name) == 32
    assert set(name) <= set("0123456789abcdef")


def test_the_same_file_twice_is_there_once(anew: Scene) -> None:
    """Protects: who was not told that it arrived sends it again and gets what is there; by another
    name it is told where it is. Neither leaves bytes in the store that are nobody's."""
    first = attach(anew, sent()).json()
    assert attach(anew, sent()).json() == first
    other = attach(anew, sent("另一个名字.pdf"))
    assert (other.status_code, "证明.pdf" in other.json()["message"]) == (409, True)
    with anew.parts.database.reading() as session:
        assert session.query(AttachmentRow).count() == 1
        assert session.query(TicketStepRow).filter_by(action="attach").count() == 1
    assert len(list(anew.parts.store.keys(files.SHELF))) == 1


def test_a_full_disk_is_told_and_loses_nothing(anew: Scene) -> None:
    """Protects: what does not fit is refused in words, half of it lies nowhere, what was there
    stays, and with room made the same request works."""
    assert attach(anew, sent()).status_code == 201
    large = sent("大.pdf", PDF + bytes(7 << 20))
    with room_for(6 << 20):
        answer = attach(anew, large)
    assert (answer.status_code, "磁盘已满" in answer.json()["message"]) == (507, True)
    store = Path(anew.parts.settings.storage.store)
    assert sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) == len(PDF)
    with anew.parts.database.reading() as session:
        assert session.query(AttachmentRow).count() == 1
    assert attach(anew, large).status_code == 201


def test_a_file_whose_row_is_refused_is_taken_back(anew: Scene) -> None:
    """Protects: two add the last file at once: one is kept, the other told, its bytes removed."""
    for number in range(attaching.AT_MOST - 1):
        attach(anew, sent(content=PDF + bytes([number])))
    put, asking = anew.parts.store.put, Asking(anew.parts, anew.people["8001"], "-")

    def meanwhile(key: str, data: bytes) -> None:
        put(key, data)
        other = replace(anew.parts, store=replaced)
        replaced.put = put  # type: ignore[method-assign]
        attaching.attach(replace(asking, parts=other), int(anew.ids["ticket"]), "先.txt", b"1")

    replaced = DirectoryStore(Path(anew.parts.settings.storage.store))
    replaced.put = meanwhile  # type: ignore[method-assign]
    late = replace(asking, parts=replace(anew.parts, store=replaced))
    with pytest.raises(Conflict, match="最多"):
        attaching.attach(late, int(anew.ids["ticket"]), "后.txt", b"2")
    assert len(list(anew.parts.store.keys(files.SHELF))) == attaching.AT_MOST


def test_a_file_that_was_altered_is_not_handed_out(anew: Scene) -> None:
    """Protects: what the store lost or somebody changed there is told, and never sent."""
    key = anew.machine()
    attach(anew, sent())
    (file,) = offered(anew, [PULLS])[PULLS]["attachments"]
    with anew.parts.database.begin() as session:
        session.query(AttachmentRow).one().sha256 = "0" * 64
    answer = fetch(anew, file["url"], key)
    assert (answer.status_code, "损坏" in answer.json()["message"]) == (409, True)
    with anew.parts.database.reading() as session:
        assert session.query(AttachmentLinkRow).filter_by(form=None).one().fetched == 0
