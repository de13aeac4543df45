"""回访: asked about by who did not handle it, on the record's word, and somebody always can."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from gateway.errors import Forbidden, NotFound
from gateway.flow import calling, dispatching, orders
from gateway.flow.control import Asking
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.roles import Role
from gateway.tables import TicketRow, TicketStepRow
from gateway.tickets import acts, desks, followup, views
from tests.rig.acting import Acting, acting
from tests.unit.gateway import house
from tests.unit.gateway.house import NOW

ROLES = {
    "8001": Role.AGENT, "8002": Role.AGENT, "8003": Role.AGENT, "chief": Role.SUPERVISOR,
    "deputy": Role.SUPERVISOR,
}  # fmt: skip


@pytest.fixture
def pbx() -> Iterator[Acting]:
    with acting() as up:
        yield up


@pytest.fixture
def parts(tmp_path: Path, pbx: Acting, database_url: str) -> Iterator[Parts]:
    more = {"HOTLINE_PBX_CONTROL_URL": pbx.url, "HOTLINE_DATABASE_URL": database_url}
    with house.house(tmp_path, **more) as made:
        yield made


@pytest.fixture
def people(parts: Parts) -> dict[str, Person]:
    with parts.database.begin() as session:
        found = {
            login: house.person(session, login, role, extension=f"PJSIP/{login}")
            for login, role in ROLES.items()
        }
        found["sun"] = house.person(session, "sun", Role.OFFICER, department="yanglao")
        return found


@pytest.fixture
def replied(parts: Parts, people: dict[str, Person]) -> int:
    """8001 answered and accepted, 8002 was passed the call, the chief dispatched, sun replied."""
    agent, sun = people["8001"], people["sun"]
    with parts.database.begin() as session:
        call = house.call(session)
        ticket = house.queued(session, call)
        house.answered(session, call, "PJSIP/8001")
        house.answered(session, call, "PJSIP/8002")
        house.ended(session, call, "answered")
        form = {"kind": "policy", "summary": "养老金未到账"}
        acts.fill(session, ticket.id, agent, form, None, NOW)
        acts.accept(session, ticket.id, agent, "示范市", NOW)
        (order,) = dispatching.dispatch(session, ticket.id, people["chief"], ["yanglao"], "", NOW)
        orders.act(session, order.number, sun, "sign", NOW)
        orders.act(session, order.number, sun, "reply", NOW, result="已补发")
        return ticket.id


def close(session: Session, ticket: int, who: Person) -> TicketRow:
    return acts.close(session, ticket, who, "电话告知，满意", NOW)


@pytest.mark.parametrize("login", ["8001", "8002", "chief"])
def test_who_handled_it_neither_calls_nor_closes(
    parts: Parts, pbx: Acting, people: dict[str, Person], replied: int, login: str
) -> None:
    """The first responder, who was passed the call, and the supervisor who dispatched: each is told
    who may, and nothing is rung, written or closed."""
    with pytest.raises(Forbidden, match=r"未经办.* any other agent or supervisor may"):
        calling.place(Asking(parts, people[login], "-"), replied)
    with parts.database.begin() as session, pytest.raises(Forbidden, match="未经办"):
        close(session, replied, people[login])
    with parts.database.reading() as session:
        assert session.get_one(TicketRow, replied).state == "replied"
        assert session.query(TicketStepRow).filter_by(action="place-followup").count() == 0
        assert not desks.desk(session, people["8001"]).follow_ups_due
    assert pbx.asked == []


@pytest.mark.parametrize("login", ["8003", "deputy"])
def test_anybody_else_with_the_right_may(
    parts: Parts, people: dict[str, Person], replied: int, login: str
) -> None:
    """Also an agent whose ticket it is not: it is listed, read, called about (twice), closed, and
    not theirs to rewrite; afterwards they still see what they did, and it stays its owner's."""
    who = people[login]
    with parts.database.begin() as session:
        if who.role is Role.AGENT:
            assert [row.id for row in desks.desk(session, who).follow_ups_due] == [replied]
            with pytest.raises(NotFound):
                acts.fill(session, replied, who, {"summary": "改"}, None, NOW)
    for _ in range(2):
        row = calling.place(Asking(parts, who, "-"), replied)
        assert row.purpose == "followup"
        with parts.database.begin() as session:
            session.merge(row).settled_at = NOW
    with parts.database.begin() as session:
        close(session, replied, who)
        found = views.ticket(session, who, replied)
        assert (found.row.state, found.row.owner) == ("closed", "8001")
        assert followup.handlers(session, found.row) == ["8001", "8002", "chief", "sun"]


def test_only_who_reads_all_is_told_the_names(
    parts: Parts, people: dict[str, Person], replied: int
) -> None:
    """A supervisor sees who handled it and who is free to ask; an agent that others may."""
    with parts.database.reading() as session:
        row = session.get_one(TicketRow, replied)
        chief, agent = (followup.barred(session, row, people[one]) for one in ("chief", "8001"))
    assert "经办：8001、8002、chief、sun；可回访：8003、deputy" in chief
    assert "8002" not in agent


def test_who_cannot_be_asked_is_not_asked_about(
    parts: Parts, people: dict[str, Person], replied: int
) -> None:
    """Anonymous, no way to reach: no follow-up waits, and the ticket's agent closes it."""
    with parts.database.begin() as session:
        session.get_one(TicketRow, replied).caller_phone = ""
        assert not desks.desk(session, people["8003"]).follow_ups_due
        with pytest.raises(NotFound):
            views.ticket(session, people["8003"], replied)
        assert close(session, replied, people["8001"]).state == "closed"


def test_a_phone_without_an_account_is_held_against_whose_it_is(
    parts: Parts, people: dict[str, Person], replied: int
) -> None:
    """The story names a phone where nobody had it: its owner of today may have had the caller."""
    with parts.database.begin() as session:
        row = session.get_one(TicketRow, replied)
        acts.story(session, row, "PJSIP/8003", "answer-call", NOW)
        assert followup.barred(session, row, people["8003"])
        assert followup.due(session, people["8003"]) == []
