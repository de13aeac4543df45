"""The least that carries a pop from a PBX's socket to its console: what `live` is measured against.

`python -m tests.bench.relay PORT`: connects to 127.0.0.1:PORT, takes the AMI bytes apart at the
empty lines, and hands each `AgentCalled` and `AgentConnect` to the one SSE client of that agent. No
database, no accounts, no meaning. Prints the port it serves on.
"""

import asyncio
import re
import socket
import sys
from collections import defaultdict
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

POP = re.compile(rb"Event: (AgentCalled|AgentConnect)\r\n.*?\r\nInterface: ([^\r]+)\r\n", re.DOTALL)

_consoles: dict[str, asyncio.Queue[str]] = defaultdict(asyncio.Queue)


async def live(request: Request) -> StreamingResponse:
    """GET /live/{agent}: an event for each of its pops."""
    waiting = _consoles["PJSIP/" + request.path_params["agent"]]

    async def events() -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        while True:
            yield f"event: agent\ndata: {await waiting.get()}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def forward(port: int) -> None:
    """Socket to queues, until the socket ends."""
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    rest = b""
    while data := await reader.read(65_536):
        *messages, rest = (rest + data).split(b"\r\n\r\n")
        for message in messages:
            if found := POP.match(message + b"\r\n"):
                kind = "ringing" if found[1] == b"AgentCalled" else "answered"
                _consoles[found[2].decode()].put_nowait(f'{{"kind": "{kind}"}}')


async def main(port: int) -> None:
    """Serve until the PBX's socket ends."""
    app = Starlette(routes=[Route("/live/{agent}", live)])
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(app, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await forward(port)
    server.force_exit = server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
