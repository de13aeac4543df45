"""The simulator's manager session: what it says stays in messages, however slowly it is said."""

import asyncio

from telephony.manager import BANNER, Headers, Manager, render
from telephony.message import Message
from telephony.wire import Wire

SLOW: Headers = [("Event", "Newchannel"), ("Uniqueid", "1795400000.1"), ("CallerIDName", "李雷")]
LOGIN = render([("Action", "Login"), ("Username", "hotline"), ("Secret", "s")])
PING = render([("Action", "Ping"), ("ActionID", "7")])


async def heard(reader: asyncio.StreamReader, count: int) -> list[Message]:
    """The next so many messages."""
    wire, found = Wire(greeted=True), list[Message]()
    while len(found) < count:
        found += wire.feed(await asyncio.wait_for(reader.read(4096), 10))
    return found


async def session(manager: Manager) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Signed in, and all that is said of that was heard."""
    reader, writer = await asyncio.open_connection("127.0.0.1", manager.port)
    assert await reader.readexactly(len(BANNER)) == BANNER
    writer.write(LOGIN)
    assert [said.name for said in await heard(reader, 2)] == ["Success", "FullyBooted"]
    return reader, writer


def test_what_is_said_slowly_is_said_whole() -> None:
    """An answer, another event and a new session while a message drips: none of them breaks it, as
    none does on a real PBX, and who came later gets no half of it."""

    async def run() -> tuple[list[Message], list[Message]]:
        manager = Manager(user="hotline", secret="s", channels=list, challenge=lambda: "1")
        await manager.start()
        reader, writer = await session(manager)
        dripping = asyncio.create_task(manager.drip(render(SLOW), 0.005))
        await asyncio.sleep(0.05)
        writer.write(PING)
        late, later = await session(manager)
        manager.send([("Event", "Hangup")])
        assert not dripping.done()
        await dripping
        manager.send([("Event", "VarSet")])
        told = await heard(reader, 4), await heard(late, 2)
        writer.close()
        later.close()
        await manager.stop()
        return told

    first, second = asyncio.run(run())
    assert [said.name for said in first] == ["Newchannel", "Success", "Hangup", "VarSet"]
    assert first[0].get("CallerIDName") == "李雷"
    assert first[1].get("ActionID") == "7"
    assert [said.name for said in second] == ["Hangup", "VarSet"]
