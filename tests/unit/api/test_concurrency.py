"""Two at once: nothing is overwritten unseen, nothing is done twice."""

from concurrent.futures import ThreadPoolExecutor

from gateway.tables import TicketRow, WorkOrderRow
from tests.unit.api.scene import Scene


def test_who_saves_second_is_told(anew: Scene) -> None:
    """A form of an older version is 409 and changes nothing; without a version it is meant."""
    path = f"/tickets/{anew.ids['ticket']}"
    version = anew.ask("8001", "GET", path).json()["ticket"]["version"]
    first = {"version": version, "fields": {"summary": "先保存"}}
    assert anew.ask("8001", "PATCH", path, first).json()["version"] == version + 1
    second = {"version": version, "fields": {"summary": "后保存", "demand": "x"}}
    refused = anew.ask("supervisor", "PATCH", path, second)
    assert refused.status_code == 409
    assert "刷新" in refused.json()["message"]
    after = anew.ask("8001", "GET", path).json()
    assert (after["fields"]["summary"], after["fields"]["demand"]) == ("先保存", "")
    anyhow = {"fields": {"summary": "以此为准"}}
    assert anew.ask("supervisor", "PATCH", path, anyhow).json()["summary"] == "以此为准"


def test_eight_acceptances_at_once_are_one(anew: Scene) -> None:
    """Pressed twice, or by two people: one acceptance number, the others are 409."""
    path = f"/tickets/{anew.ids['ticket']}/accept"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: anew.ask("8001", "POST", path), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    with anew.parts.database.reading() as session:
        numbers = [row.acceptance_no for row in session.query(TicketRow) if row.acceptance_no]
    assert len(numbers) == len(set(numbers)) == 2


def test_eight_dispatches_at_once_are_one(anew: Scene) -> None:
    """A work order is never sent twice to a department because two pressed at once."""
    path = f"/tickets/{anew.ids['ticket']}"
    assert anew.ask("8001", "POST", path + "/accept").status_code == 200
    body = {"departments": ["yanglao"]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: anew.ask("8001", "POST", path + "/dispatch", body), range(8))
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {400, 409}
    with anew.parts.database.reading() as session:
        ticket = int(anew.ids["ticket"])
        assert session.query(WorkOrderRow).filter_by(ticket_id=ticket).count() == 1


def test_a_refused_act_changes_nothing(anew: Scene) -> None:
    """409 leaves the ticket, its story and its work orders as they were (promise 9)."""
    path = f"/tickets/{anew.ids['dispatched']}"
    before = anew.ask("8001", "GET", path).json()
    for action, body in (
        ("register", None),
        ("accept", None),
        ("answer", {"answer": "x"}),
        ("refuse", {"reason": "x", "refer_to": "y"}),
        ("close", {"note": "x"}),
        ("called-back", None),
        ("dispatch", {"departments": ["yanglao"]}),
    ):
        answer = anew.ask("8001", "POST", f"{path}/{action}", body)
        assert answer.status_code in (400, 409), action
    assert anew.ask("8001", "GET", path).json() == before
