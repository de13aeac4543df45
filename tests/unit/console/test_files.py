"""A ticket's files on its page: added by a form, saved and not shown, for who may read it."""

from sqlalchemy import select

from gateway.flow import attaching, files, recusing
from gateway.flow.control import Asking
from gateway.flow.recusing import Doing
from gateway.tables import WorkOrderRow
from recordings.tables import AuditLineRow
from tests.acceptance import look_morning as scene
from tests.rig.full_disk import room_for
from tests.unit.console.conftest import Browser, browser


def test_a_file_is_added_and_taken(morning: scene.Morning) -> None:
    """Protects: what was chosen in the form is kept with the ticket, listed, and comes back as it
    was; who may only read adds nothing; another's ticket has no files for who may not see it."""
    ticket = morning.tickets["registered"]
    wang = browser(morning, "wang")
    path = f"/tickets/{ticket}/attachments"
    content = b"%PDF-1.7 \xe2\x80\xa8"
    given = {"file": ("证明.pdf", content, "application/pdf")}
    answer = wang.post(path, files=given)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/tickets/{ticket}?done=attached",
    )
    page = wang.get(f"/tickets/{ticket}").text
    assert "证明.pdf" in page
    with morning.parts.database.reading() as session:
        (row,) = files.of_ticket(session, ticket)
    taken = wang.get(f"{path}/{row.id}")
    assert (taken.status_code, taken.content) == (200, content)
    assert taken.headers["Content-Disposition"].startswith("attachment;")
    assert taken.headers["X-Content-Type-Options"] == "nosniff"
    assert browser(morning, "he").post(path, files=given).status_code == 403
    assert (
        wang.get(f"/tickets/{morning.tickets['dispatched']}/attachments/{row.id}").status_code
        == 404
    )


def test_what_is_wrong_with_a_file_is_told_on_the_page(
    signed_in: Browser, morning: scene.Morning
) -> None:
    """Protects: no file, one of another kind: told in both languages, and nothing is kept."""
    path = f"/tickets/{morning.tickets['registered']}/attachments"
    for given, word in (({}, "选择文件"), ({"file": ("x.wav", b"RIFF", "audio/wav")}, ".pdf")):
        answer = signed_in("wang").post(path, files=given, data={"x": "1"})
        assert (answer.status_code, word in answer.text) == (400, True)
    huge = {"file": ("x.pdf", b"%PDF-" + b"x" * (12 << 20), "application/pdf")}
    answer = signed_in("wang").post(path, files=huge)
    assert (answer.status_code, "太大，最多 10 MiB" in answer.text) == (413, True)
    large = {"file": ("x.pdf", b"%PDF-" + b"x" * ((10 << 20) - 5), "application/pdf")}
    assert signed_in("wang").post(path, files=large).status_code == 303


def test_a_full_disk_is_told_on_the_page(morning: scene.Morning) -> None:
    """Protects: where the form itself finds no room on its way in, that is said, and no crash."""
    path = f"/tickets/{morning.tickets['old']}/attachments"
    large = {"file": ("x.pdf", b"%PDF-" + bytes(8 << 20), "application/pdf")}
    with room_for(6 << 20):
        answer = browser(morning, "wang").post(path, files=large)
    assert (answer.status_code, "磁盘已满" in answer.text) == (507, True)
    with morning.parts.database.reading() as session:
        assert not files.of_ticket(session, morning.tickets["old"])


def orders(house: scene.Morning, ticket: str) -> dict[str, str]:
    """The numbers of the ticket's work orders, by department."""
    with house.parts.database.reading() as session:
        rows = session.scalars(select(WorkOrderRow).filter_by(ticket_id=house.tickets[ticket]))
        return {row.department: row.number for row in rows}


def last_line(house: scene.Morning) -> AuditLineRow:
    with house.parts.database.reading() as session:
        return session.scalars(select(AuditLineRow).order_by(AuditLineRow.id.desc())).first()  # type: ignore[return-value]


def test_an_officer_takes_what_belongs_to_the_work_order(bare: scene.Morning) -> None:
    """Protects: a department without a system of its own sees the files and the form on its page
    and takes them, each time on record; another department does not, and neither do they once the
    work order was returned."""
    house = scene.full(bare)
    number = orders(house, "dispatched")["pension"]
    sun, qian = browser(house, "sun"), browser(house, "qian")
    page = sun.get(f"/department?order={number}").text
    with house.parts.database.reading() as session:
        kept = files.of_ticket(session, house.tickets["dispatched"])
    assert [row.name for row in kept] == [name for name, _ in scene.FILES]
    for row, (name, content) in zip(kept, scene.FILES, strict=True):
        path = f"/department/orders/{number}/files/{row.id}"
        assert name in page
        assert path in page
        taken = sun.get(path)
        assert (taken.status_code, taken.content) == (200, content)
        assert taken.headers["Content-Disposition"].startswith("attachment;")
        line = last_line(house)
        assert (line.action, line.actor) == ("queueing:attachment:fetch", "sun")
        assert (line.obj, number in line.detail) == (f"attachment:{row.id}", True)
        assert qian.get(path).status_code == 404
    form = sun.get(f"/department/orders/{number}/form")
    assert (form.status_code, "受理登记表" in form.text, "13800138000" in form.text) == (
        200,
        True,
        True,
    )
    assert "script" not in form.headers["Content-Security-Policy"]
    assert last_line(house).obj == "form:register"
    assert qian.get(f"/department/orders/{number}/form").status_code == 404
    assert sun.post(f"/department/orders/{number}/return", data={"reason": "不属本处"}).is_redirect
    assert path not in sun.get(f"/department?order={number}").text
    for gone in (path, f"/department/orders/{number}/form"):
        answer = sun.get(gone)
        assert (answer.status_code, "退回" in answer.text) == (410, True)


def test_an_officer_gets_nothing_that_is_not_of_the_work_order(morning: scene.Morning) -> None:
    """Protects: another ticket's file is not there under one's own work order, nor is a file of a
    confidential matter; its form does not name the caller, nor is it given to whom it is about."""
    sun = browser(morning, "sun")
    confidential = orders(morning, "replied")["pension"]
    asking = Asking(morning.parts, morning.people["chen"], "-")
    kept = attaching.attach(asking, morning.tickets["replied"], "身份证.txt", "张建国".encode())
    page = sun.get(f"/department?order={confidential}").text
    assert "身份证.txt" not in page
    assert "附件由热线保管" in page
    assert sun.get(f"/department/orders/{confidential}/files/{kept.id}").status_code == 404
    form = sun.get(f"/department/orders/{confidential}/form").text
    assert ("张建国" in form, "保密" in form) == (False, True)
    theirs = orders(morning, "dispatched")["pension"]
    assert sun.get(f"/department/orders/{theirs}/files/{kept.id}").status_code == 404
    with morning.parts.database.begin() as session:
        doing = Doing(session, morning.people["chen"], "-", morning.parts.clock())
        recusing.name(doing, morning.tickets["dispatched"], "sun")
    assert sun.get(f"/department/orders/{theirs}/form").status_code == 403
