"""`reconcile` is the figure by which every claim is checked: it agrees when all fits, and each
single fault makes it disagree by its name. CEL is written by hand, line by line."""

import csv
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from gateway import cli, reconcile
from gateway.count import Count
from gateway.flow import dispatching, linking, orders, pushing
from gateway.parts import Parts
from gateway.people import accounts
from gateway.people.roles import Role
from gateway.tables import AccountRow, RecordingLinkRow, TicketCallRow, TicketRow, WorkOrderRow
from gateway.tickets import acts
from queueing import parked
from queueing.tables import OutboxDueRow, OutboxRow
from recordings.tables import RecordingRow
from telephony.cel import COLUMNS
from telephony.errors import CelUnreadable
from telephony.tables import CallRow, LinkGapRow
from tests.unit.gateway import house

NOW, S = house.NOW, house.S
SINCE, UNTIL = NOW - 60 * S, NOW + 600 * S
ANSWERED, ABANDONED, LEFT, BEFORE = "1795400000.1", "1795400005.2", "1795400008.3", "1795390000.9"
Lines = list[dict[str, str]]


def line(
    kind: str, at: int, linkedid: str, application: str = "", peer: str = ""
) -> dict[str, str]:
    """One line of CEL on the caller's own channel."""
    moment = datetime.fromtimestamp(at / 1_000_000, UTC)
    return {
        "type": kind, "time": f"{moment:%Y-%m-%d %H:%M:%S}.{at // 1000 % 1000:03d}",
        "number": "13800138013", "exten": "12333", "context": "from-pstn",
        "channel": f"PJSIP/trunk-{linkedid[-1]}", "application": application,
        "data": "hotline,,,,60" if application == "Queue" else "", "uniqueid": linkedid,
        "linkedid": linkedid, "peer": peer,
    }  # fmt: skip


def call_lines(linkedid: str, at: int, outcome: str) -> Lines:
    """What the PBX writes of one call from its ring to its end."""
    lines = [line("CHAN_START", at, linkedid)]
    if outcome != "left":
        lines.append(line("APP_START", at + S // 10, linkedid, "MixMonitor"))
        lines.append(line("APP_START", at + S // 5, linkedid, "Queue"))
    if outcome == "answered":
        lines.append(line("BRIDGE_ENTER", at + S, linkedid, "Queue", "PJSIP/8001-00000001"))
    return [*lines, line("CHAN_END", at + 9 * S, linkedid)]


def write(parts: Parts, lines: Lines) -> None:
    """The CEL file anew."""
    house.cel_file(parts.settings).parent.mkdir(parents=True, exist_ok=True)
    with house.cel_file(parts.settings).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([row.get(column, "") for column in COLUMNS] for row in lines)


def held(session: Session, linkedid: str, at: int, outcome: str) -> CallRow:
    """The record that we hold of such a call, with its ticket where it was queued."""
    row = house.call(session, linkedid)
    row.arrived_at, row.outcome = at, outcome
    if outcome != "left":
        house.queued(session, row)
    row.state, row.ended_at = "ended", at + 9 * S
    session.flush()
    return row


LINES = [
    *call_lines(BEFORE, SINCE - S, "answered"),  # not of the span, and nothing is held of it
    *call_lines(ANSWERED, NOW, "answered"),
    *call_lines(ABANDONED, NOW + 5 * S, "abandoned"),
    *call_lines(LEFT, NOW + 8 * S, "left"),
]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A house in which everything fits: one call answered, sealed and replied to, one abandoned,
    one that never entered the queue."""
    with house.house(tmp_path) as made:
        write(made, LINES)
        with made.database.begin() as session:
            agent = house.person(session, "8001", Role.AGENT, extension="PJSIP/8001")
            officer = house.person(session, "sun", Role.OFFICER, "yanglao")
            held(session, ABANDONED, NOW + 5 * S, "abandoned")
            held(session, LEFT, NOW + 8 * S, "left")
            held(session, ANSWERED, NOW, "answered")
            linking.captured(session, house.recording(session, ANSWERED))
            ticket = session.scalars(
                select(TicketCallRow.ticket_id).join(CallRow, CallRow.id == TicketCallRow.call_id)
                .where(CallRow.linkedid == ANSWERED)
            ).one()  # fmt: skip
            acts.fill(session, ticket, agent, {"kind": "policy", "summary": "x"}, None, NOW)
            acts.accept(session, ticket, agent, "示范市", NOW)
            (order,) = dispatching.dispatch(session, ticket, agent, ["yanglao"], "", NOW)
            for action in ("sign", "reply"):
                orders.act(session, order.number, officer, action, NOW, result="已办")
            session.execute(update(OutboxRow).values(state="confirmed", confirmed_at=NOW))
        yield made


def count(parts: Parts) -> Count:
    """What is counted over the span."""
    return reconcile.reconcile(parts, "pbx1", SINCE, UNTIL)


def test_it_agrees_when_everything_fits(parts: Parts) -> None:
    """Every figure counted by hand; and no fault named."""
    assert count(parts).plain() == {
        "cel_calls": 3,
        "call_records": 3,
        "tickets": 2,
        "never_queued": 1,
        "never_logged": 0,
        "doubled": 0,
        "recordings": {
            "expected": 1, "sealed": 1, "missing": 0, "unwritten": 0, "unlinked": 0,
            "plaintext_left": 0,
        },
        "work_orders": {"committed": 1, "confirmed": 1, "signed": 1, "replied": 1, "parked": 0},
        "gaps": 0,
        "incomplete": [],
        "cel_unreadable": 0,
        "agrees": True,
        "faults": {},
        "explained": {},
    }  # fmt: skip


Harm = Callable[[Parts, Session], None]


def lose_call(_: Parts, session: Session) -> None:
    """Nothing is held of a call."""
    gone = session.scalars(select(CallRow).where(CallRow.linkedid == LEFT)).one()
    session.delete(gone)


def invent_call(_: Parts, session: Session) -> None:
    """A record of a call that the PBX never had."""
    held(session, "1795400100.7", NOW + 20 * S, "left")


def lose_ticket(_: Parts, session: Session) -> None:
    """A call was queued and no ticket stands."""
    session.execute(delete(TicketCallRow).where(TicketCallRow.call_id == _id(session, ABANDONED)))


def ticket_for_nothing(_: Parts, session: Session) -> None:
    """A ticket of a call that never entered the queue."""
    ticket = TicketRow(opened_at=NOW)
    session.add(ticket)
    session.flush()
    session.add(TicketCallRow(call_id=_id(session, LEFT), ticket_id=ticket.id))


def lose_recording(_: Parts, session: Session) -> None:
    """An answered call's recording is nowhere."""
    session.execute(delete(RecordingLinkRow))
    session.execute(delete(RecordingRow))


def unlink_recording(_: Parts, session: Session) -> None:
    """A recording that its call's page does not show."""
    session.execute(delete(RecordingLinkRow))


def link_to_no_ticket(_: Parts, session: Session) -> None:
    """A recording linked to its call and not to its ticket."""
    session.execute(update(RecordingLinkRow).values(ticket_id=None))


def stray_recording(_: Parts, session: Session) -> None:
    """A recording of which nobody knows the call."""
    linking.captured(session, house.recording(session, "1795400200.1"))


def leave_wav(where: str) -> Harm:
    """Sound that anybody could copy, left in the spool."""

    def harm(parts: Parts, _: Session) -> None:
        path = parts.settings.pbxs[0].spool / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")

    return harm


def order_state(state: str) -> Harm:
    """A work order that has not left, or could not."""

    def harm(_: Parts, session: Session) -> None:
        session.execute(update(OutboxRow).values(state=state))

    return harm


def given_up(_: Parts, session: Session) -> None:
    """A department's program has rejected the work order for good."""
    row = session.scalars(select(OutboxRow)).one()
    parked.park_dead(session, routing_key=row.routing_key, dedupe_key=row.dedupe_key,
                     body=row.body, reason="rejected", now=NOW)  # fmt: skip


def reply_unusable(_: Parts, session: Session) -> None:
    """A reply that could not be applied waits for a person."""
    parked.park_reply(session, routing_key="reply.yanglao.v1", body=b"{}", reason="x", now=NOW)


def lose_message(_: Parts, session: Session) -> None:
    """A work order committed without its message."""
    session.execute(delete(OutboxDueRow))
    session.execute(delete(OutboxRow))


def urge_unsent(parts: Parts, session: Session) -> None:
    """The offer has left, and the urge that followed it has not."""
    order = session.scalars(select(WorkOrderRow)).one()
    order.state = "signed"
    agent = accounts.person(session.scalars(select(AccountRow).filter_by(login="8001")).one())
    pushing.push(session, order.number, agent, "urge", NOW, reason="x")


def gap(ended: bool) -> Harm:
    """An interval in which the PBX was not heard, not made good from CEL."""

    def harm(_: Parts, session: Session) -> None:
        session.add(LinkGapRow(pbx="pbx1", began_at=NOW, ended_at=NOW + S if ended else None,
                               reason="killed"))  # fmt: skip

    return harm


def never_ended(_: Parts, session: Session) -> None:
    """The PBX has hung up and we still hold the call for live."""
    values = {"state": "talking", "ended_at": None}
    session.execute(update(CallRow).where(CallRow.linkedid == ANSWERED).values(values))


def _id(session: Session, linkedid: str) -> int:
    return session.scalars(select(CallRow.id).where(CallRow.linkedid == linkedid)).one()


def at(path: str, found: Count) -> Any:
    """A figure by its path: `work_orders.parked`, `faults.no_ticket`."""
    value: Any = found.plain()
    for name in path.split("."):
        value = value[name]
    return value


@pytest.mark.parametrize(
    ("harm", "path", "value"),
    [
        (lose_call, "faults.no_call_record", [LEFT]),
        (invent_call, "faults.not_on_cel", ["1795400100.7"]),
        (lose_ticket, "faults.no_ticket", [ABANDONED]),
        (ticket_for_nothing, "faults.ticket_without_queue", [LEFT]),
        (lose_recording, "faults.recording_missing", [ANSWERED]),
        (lose_recording, "recordings.missing", 1),
        (unlink_recording, "faults.recording_unlinked", [ANSWERED]),
        (link_to_no_ticket, "faults.recording_unlinked", [ANSWERED]),
        (stray_recording, "faults.recording_unlinked", ["1795400200.1"]),
        (stray_recording, "recordings.unlinked", 1),
        (leave_wav(f"ready/{ANSWERED}.wav"), "faults.plaintext_left", [ANSWERED]),
        (leave_wav(f"2026/11/23/{ANSWERED}.wav"), "recordings.plaintext_left", 1),
        (leave_wav("ready/unknown.WAV"), "faults.plaintext_left", ["unknown"]),
        (order_state("waiting"), "work_orders.confirmed", 0),
        (order_state("parked"), "work_orders.parked", 1),
        (given_up, "work_orders.parked", 1),
        (given_up, "faults.parked", ["1"]),
        (reply_unusable, "work_orders.parked", 1),
        (lose_message, "work_orders.confirmed", 0),
        (urge_unsent, "work_orders.confirmed", 0),
        (gap(ended=False), "gaps", 1),
        (gap(ended=True), "gaps", 1),
        (never_ended, "faults.not_ended", [ANSWERED]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_single_fault_is_named(parts: Parts, harm: Harm, path: str, value: Any) -> None:
    """One thing wrong among all that fits: it disagrees, and says what and which."""
    with parts.database.begin() as session:
        harm(parts, session)
    found = count(parts)
    assert found.agrees is False
    assert at(path, found) == value


def test_a_call_still_going_on_owes_nothing_yet(parts: Parts) -> None:
    """Counting while calls run does not cry wolf: no recording is due before the call's end."""
    live = "1795400300.4"
    write(parts, [*LINES, *call_lines(live, NOW + 30 * S, "answered")[:-1]])
    with parts.database.begin() as session:
        row = held(session, live, NOW + 30 * S, "answered")
        row.state, row.ended_at = "talking", None
        leave_wav(f"2026/11/23/{live}.wav")(parts, session)
    found = count(parts)
    assert (found.agrees, found.faults, found.cel_calls) == (True, {}, 4)
    assert found.recordings.expected == 1


def test_what_the_pbx_died_over_is_named_and_not_missing(parts: Parts) -> None:
    """-9 under a call: it is over, its record must be too, and its sound was never written."""
    dead = "1795400300.40"
    again = line("CHAN_START", NOW + 60 * S, "1795400400.0")
    write(parts, [*LINES, *call_lines(dead, NOW + 30 * S, "answered")[:-1], again])
    with parts.database.begin() as session:
        held(session, "1795400400.0", NOW + 60 * S, "left")
        row = held(session, dead, NOW + 30 * S, "answered")
        row.state, row.ended_at = "talking", None
    assert count(parts).faults == {"not_ended": [dead]}
    with parts.database.begin() as session:
        row = session.scalars(select(CallRow).where(CallRow.linkedid == dead)).one()
        row.state, row.ended_at = "ended", NOW + 31 * S
    found = count(parts)
    assert (found.agrees, found.faults) == (True, {})
    assert (found.recordings.missing, found.recordings.unwritten) == (0, 1)
    assert list(found.explained.values()) == [[dead]]


@pytest.mark.parametrize(
    ("after_s", "cause", "outcome", "ours"),
    [(1, "gap", "left", False), (1, "gap", "abandoned", False), (1, "caller", "left", True),
     (-1, "gap", "left", True), (40, "gap", "left", True)],
)  # fmt: skip
def test_a_call_that_a_dying_pbx_only_told_of_is_named_and_counted_apart(
    parts: Parts, after_s: int, cause: str, outcome: str, ours: bool
) -> None:
    """It came in after the log fell silent under another call, and nobody saw its end. A record of
    a call that ended in sight, or beside which others are logged, is a fault as ever."""
    dead, told = "1795400300.40", "1795400300.41"
    again = line("CHAN_START", NOW + 60 * S, "1795400400.0")
    write(parts, [*LINES, *call_lines(dead, NOW + 30 * S, "answered")[:-1], again])
    with parts.database.begin() as session:
        held(session, "1795400400.0", NOW + 60 * S, "left")
        held(session, dead, NOW + 30 * S, "answered")
        held(session, told, NOW + (31 + after_s) * S, outcome).cause = cause
    found = count(parts)
    assert found.agrees == (not ours)
    assert found.never_logged == (0 if ours else 1)
    assert found.faults.get("not_on_cel") == ([told] if ours else None)
    assert ([told] in found.explained.values()) == (not ours)
    assert (found.call_records == found.tickets + found.never_queued) == (not ours)


def test_the_span_is_from_and_until(parts: Parts) -> None:
    """Two spans side by side count each call once: from is in, until is not."""
    cut = NOW + 5 * S
    first, second = (
        reconcile.reconcile(parts, "pbx1", *span) for span in ((SINCE, cut), (cut, UNTIL))
    )
    assert (first.cel_calls, second.cel_calls) == (1, 2)
    assert (first.call_records, second.call_records) == (1, 2)
    assert first.agrees
    assert second.agrees


def test_another_pbx_is_not_counted(parts: Parts) -> None:
    """Gaps and calls of a second PBX are that one's affair."""
    with parts.database.begin() as session:
        session.add(LinkGapRow(pbx="pbx2", began_at=NOW, ended_at=None, reason="killed"))
        other = held(session, "1795400400.1", NOW, "left")
        other.pbx = "pbx2"
    assert count(parts).agrees


def test_a_pbx_in_local_time_is_counted_all_the_same(parts: Parts, tmp_path: Path) -> None:
    """A PBX that writes China Standard Time, told by HOTLINE_CEL_UTC_OFFSET: the same calls."""
    write(parts, [row | {"time": china(row["time"])} for row in LINES])
    assert count(parts).cel_calls == 0
    with house.house(tmp_path / "other", HOTLINE_CEL=str(house.cel_file(parts.settings)),
                     HOTLINE_CEL_UTC_OFFSET="480") as local:  # fmt: skip
        assert count(local).cel_calls == 3


def china(time: str) -> str:
    """A time of CEL, eight hours on."""
    moment = datetime.fromisoformat(time) + timedelta(hours=8)
    return moment.isoformat(" ", "milliseconds")


def test_rotated_files_count_and_a_torn_line_does_not_stop_it(parts: Parts) -> None:
    """The log was rotated in mid-span, and a power cut tore a line of it: all calls are counted,
    and the line is told."""
    current = house.cel_file(parts.settings)
    lines = current.read_text(encoding="utf-8").splitlines(keepends=True)
    current.with_name("Master.csv.1").write_text("".join(lines[:-3]), encoding="utf-8")
    torn = '"CHAN_START","2026-11-2\n'
    current.write_text("".join([lines[-3], torn, *lines[-2:]]), encoding="utf-8")
    counted = count(parts)
    assert counted.agrees
    assert (counted.cel_calls, counted.cel_unreadable) == (3, 1)


def test_no_log_of_the_pbx_is_no_agreement(parts: Parts) -> None:
    """Without CEL, or with one in another form, nothing was checked: an error, never `agrees`."""
    house.cel_file(parts.settings).write_text("some,other,columns\n")
    with pytest.raises(CelUnreadable):
        count(parts)
    house.cel_file(parts.settings).unlink()
    with pytest.raises(OSError, match="Master"):
        count(parts)


@pytest.mark.parametrize(("spoil", "status"), [(False, 0), (True, 1)])
def test_the_command_says_the_same(
    parts: Parts, spoil: bool, status: int, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Exit status 1 where it does not agree; the keys are those that others build on."""
    monkeypatch.setenv("HOTLINE_STATE", str(parts.settings.state))
    if spoil:
        with parts.database.begin() as session:
            lose_call(parts, session)
    span = [datetime.fromtimestamp(us / 1_000_000, UTC).isoformat() for us in (SINCE, UNTIL)]
    ended = cli.main(["reconcile", "--since", span[0], "--until", span[1], "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (ended, said["agrees"]) == (status, not spoil)
    assert set(said) == {"cel_calls", "call_records", "tickets", "doubled", "recordings",
                         "work_orders", "gaps", "agrees", "faults", "never_queued",
                         "never_logged", "explained", "incomplete", "cel_unreadable",
                         "pbxs"}  # fmt: skip
    text = json.dumps(said)
    assert "13800138013" not in text


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_log_does_not_matter(parts: Parts, seed: int) -> None:
    """Lines of calls at the same time come mixed: each call is counted by itself."""
    mixed: Lines = []
    waiting = [
        [row for row in LINES if row["linkedid"] == one] for one in (ANSWERED, ABANDONED, LEFT)
    ]
    rng = random.Random(seed)
    while any(waiting):
        mixed.append(rng.choice([lines for lines in waiting if lines]).pop(0))
    write(parts, mixed)
    assert count(parts).agrees


def test_every_work_order_of_the_span_is_counted(parts: Parts) -> None:
    """One more, offered and not yet signed: committed and confirmed rise, signed does not."""
    with parts.database.begin() as session:
        first = session.scalars(select(WorkOrderRow)).one()
        session.add(WorkOrderRow(number="WO-2026-000002", ticket_id=first.ticket_id, lead=False,
                                 department="gongshang", question="x", offered_at=NOW))  # fmt: skip
    found = count(parts)
    assert (found.work_orders.committed, found.work_orders.signed) == (2, 1)
    assert not found.agrees
