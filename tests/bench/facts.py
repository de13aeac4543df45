"""Socket bytes → facts about calls, against a loop that only splits the same bytes."""

from collections.abc import Sequence

from telephony import queue_events as qe
from telephony.board import Board
from telephony.readers import understand
from telephony.turn import Turn
from telephony.wire import Wire
from tests.bench.load import Tale, chunks, stream
from tests.bench.measure import Result, compare, timed

PBX = "bench"


def plain(data: Sequence[bytes]) -> int:
    """Each message as a dictionary, and nothing else: no bound, no lone CR, no duplicate header."""
    rest, count = "", 0
    for chunk in data:
        rest += chunk.decode("utf-8", "surrogateescape")
        *messages, rest = rest.split("\r\n\r\n")
        for message in messages:
            headers = {}
            for line in message.split("\r\n"):
                name, _, value = line.partition(": ")
                headers[name] = value
            count += 1
    return count


def facts(data: Sequence[bytes]) -> int:
    """As the gateway understands them, with no database: wire, readers, the board's own turn."""
    wire, board, count = Wire(greeted=True), Board(PBX, {"from-pstn"}), 0
    for chunk in data:
        events = [e for m in wire.feed(chunk) if (e := understand(m)) is not None]
        turn = Turn(PBX, board._memory, board._unknown(events), set())
        for event in events:
            if not isinstance(event, qe.OfQueues):
                turn.take(event)
        count += len(turn.facts)
        for entry in turn.touched.values():
            board._memory.keep(entry)
    assert not board.live
    return count


def run(name: str, tales: list[tuple[Tale, int]], calls: int, rounds: int,
        floor: float | None) -> Result:  # fmt: skip
    """Both over the same calls."""
    data = list(chunks(stream(tales, calls)))
    events = plain(data)
    return compare(
        f"bytes → facts, {name} ({events / calls:.0f} events a call)",
        lambda: timed(lambda: facts(data)),
        lambda: timed(lambda: plain(data)),
        events=events, calls=calls, rounds=rounds, floor=floor,
    )  # fmt: skip
