"""How a request of a department's program runs: whose key it shows, what it says, one answer.

The endpoints of `departments` alone run so. A program's key is looked up where keys are and a
person's token is none, nor does a key open what `endpoint` runs: neither can pass for the other.
Handlers are asynchronous, because a program may wait for its messages; what they ask of the
database they do in threads. Who shows no key that holds is on record as `knocks` allows.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gateway.api import endpoint as common
from gateway.api.endpoint import Endpoint
from gateway.errors import HotlineError, NotSignedIn
from gateway.flow.knocks import Knocks
from gateway.flow.metrics import PULL
from gateway.flow.pulling import Waiting
from gateway.parts import Parts
from gateway.people import machines
from gateway.people.machines import Machine
from queueing.inbox import ReplyConsumer


@dataclass(frozen=True, slots=True)
class Turned:
    """One request as a handler sees it: `body` read by the endpoint's model, `raw` as it came."""

    parts: Parts
    replies: ReplyConsumer
    who: Machine
    body: Any
    raw: bytes
    gone: Callable[[], Awaitable[bool]]
    waiting: Waiting
    path: Mapping[str, Any]
    origin: str

    def count(self, outcome: str, more: int = 1) -> None:
        """Of messages that are fetched, for the figures."""
        self.replies.told[PULL, outcome] += more


Handler = Callable[[Turned], Awaitable[BaseModel | list[BaseModel] | Response]]


async def run(endpoint: Endpoint, request: Request, knocks: Knocks) -> Response:
    """Answer `request` by `endpoint`; every error becomes its status and a `Fault`."""
    state = request.app.state
    try:
        who = await run_in_threadpool(_shown, state.parts, common.bearer(request))
        raw = await common.read(request)
        body = None if endpoint.takes else common.parsed(endpoint, raw)
        turned = Turned(state.parts, state.replies, who, body, raw, request.is_disconnected,
                        state.waiting, request.path_params, common.origin_of(request))  # fmt: skip
        answer = await cast("Handler", endpoint.handler)(turned)
        if isinstance(answer, Response):
            return answer
    except NotSignedIn as error:
        await common.on_record(endpoint, request, knocks)
        return common.fault(error)
    except HotlineError as error:
        return common.fault(error)
    except ClientDisconnect:
        return Response(status_code=499)
    return JSONResponse(common.plain(answer), endpoint.status, {"Cache-Control": "no-store"})


def _shown(parts: Parts, key: str) -> Machine:
    with parts.database.reading() as session:
        return machines.find(session, key, parts.clock())
