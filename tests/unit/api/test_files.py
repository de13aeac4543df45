"""Files of tickets: kept as they came, and fetched by the department they were offered to alone."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NotFound
from gateway.flow import attaching
from gateway.tables import AttachmentLinkRow, AttachmentRow, WorkOrderRow
from queueing.tables import OutboxRow
from recordings.tables import AuditLineRow
from tests.unit.api.scene import PULLS, Scene

PUBLIC = "https://hotline.example"
PDF = b"%PDF-1.7\n" + bytes(range(256))
FORM = {"kind": "policy", "summary": "养老金", "caller_phone": "13800138013"}


def sent(name: str = "证明.pdf", content: bytes = PDF) -> dict[str, str]:
    return {"name": name, "content": base64.b64encode(content).decode()}


def attach(made: Scene, body: dict[str, str], login: str = "8001") -> Any:
    return made.ask(login, "POST", f"/tickets/{made.ids['ticket']}/attachments", body)


def offered(made: Scene, departments: list[str], **fields: Any) -> dict[str, dict[str, Any]]:
    """What each department is told when the ticket is dispatched, by its code."""
    settings = replace(made.parts.settings, public_url=PUBLIC)
    made.parts = replace(made.parts, settings=settings)
    path = f"/tickets/{made.ids['ticket']}"
    made.ask("8001", "PATCH", path, {"fields": FORM | fields})
    made.ask("8001", "POST", path + "/accept")
    answer = made.ask("8001", "POST", path + "/dispatch", {"departments": departments})
    assert answer.status_code == 200, answer.text
    numbers = {one["number"] for one in answer.json()}
    with made.parts.database.reading() as session:
        told = [json.loads(row.body)["data"] for row in session.query(OutboxRow)]
    return {one["department"]: one for one in told if one["work_order"] in numbers}


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
    assert told["yanglao"]["attachments"] == [], "a desk has no system that could fetch"
    (file,) = told[PULLS]["attachments"]
    (theirs,) = told["jiuye"]["attachments"]
    assert file["url"] != theirs["url"]
    assert file["sha256"] == kept["sha256"] == hashlib.sha256(PDF).hexdigest()
    for key in (others, anew.token("officer"), "x"):
        assert fetch(anew, file["url"], key).status_code in (401, 404)
    answer = fetch(anew, file["url"], ours)
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    token = file["url"].rpartition("/")[2]
    with anew.parts.database.reading() as session:
        links = session.query(AttachmentLinkRow).order_by(AttachmentLinkRow.id).all()
        assert [(row.department, row.fetched) for row in links] == [(PULLS, 1), ("jiuye", 0)]
        assert all(token not in str(vars(row)) for row in links)
        line = session.query(AuditLineRow).order_by(AuditLineRow.id.desc()).limit(1).one()
        assert (line.action, line.actor) == ("queueing:attachment:fetch", f"department:{PULLS}")


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
    withdrawn = fetch(anew, file["url"], key)
    assert (withdrawn.status_code, "撤回" in withdrawn.json()["message"]) == (410, True)


def test_nothing_is_offered_where_it_must_not_be(anew: Scene) -> None:
    """Protects: a file may show who the caller is: of a confidential matter none goes out; and none
    where nobody outside could reach it."""
    anew.machine()
    attach(anew, sent())
    assert offered(anew, [PULLS], confidential="1")[PULLS]["attachments"] == []
    with anew.parts.database.reading() as session:
        assert session.query(AttachmentLinkRow).count() == 0


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
    for _ in range(attaching.AT_MOST - 1):
        assert attach(anew, sent()).status_code == 201
    assert attach(anew, sent()).status_code == 409
    assert attach(anew, sent(), "8002").status_code == 404


@given(st.text() | st.sampled_from(["2026/11/23/pbx1/1795400000.1-00000000.payload", "../x"]))
def test_a_recordings_object_cannot_be_named(name: str) -> None:
    """Protects: whatever stands in a row, its key lies under attachments/ and is made of 32 digits:
    no link ever leads to a recording."""
    try:
        key = attaching.key(name)
    except NotFound:
        return
    assert key.removeprefix("attachments/") == name
    assert len(name) == 32
    assert set(name) <= set("0123456789abcdef")


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
        assert session.query(AttachmentLinkRow).one().fetched == 0
        assert session.query(WorkOrderRow).count() > 0
