"""A ticket's files on its page: added by a form, saved and not shown, for who may read it."""

from gateway.flow import attaching
from tests.acceptance import look_morning as scene
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
        (row,) = attaching.of_ticket(session, ticket)
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
    assert (answer.status_code, "太大" in answer.text) == (413, True)
    large = {"file": ("x.pdf", b"%PDF-" + b"x" * ((10 << 20) - 5), "application/pdf")}
    assert signed_in("wang").post(path, files=large).status_code == 303
