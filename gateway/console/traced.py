"""Each request begins or goes on with a trace (W3C Trace Context): one ASGI middleware.

Whoever asks may say which (`traceparent`); what cannot be read is as if it were not said. The trace
goes with the work orders that the request sends.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import traces


class Traced:
    """Sets the trace of every HTTP request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does."""
        if scope["type"] == "http":
            traces.begin(Headers(scope=scope).get("traceparent", ""))
        await self.app(scope, receive, send)
