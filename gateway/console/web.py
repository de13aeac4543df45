"""The console as Starlette routes, error pages and a wrapper, for `compose` to put into one app.

The app must carry `state.parts`. Static files are served as they lie in the package; nothing comes
from another host.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gateway.console import failures
from gateway.console.guard import guarded
from gateway.console.headers import SecurityHeaders
from gateway.console.routes import ROUTES
from gateway.console.traced import Traced
from gateway.flow.knocks import Knocks

Handler = Callable[[Request, Exception], Response]
EXCEPTION_HANDLERS: Mapping[Any, Handler] = {
    404: failures.unforeseen,
    405: failures.unforeseen,
    500: failures.unforeseen,
}


def pages() -> list[BaseRoute]:
    """A route for each row of the table, and the static files."""
    knocks = Knocks()
    made: list[BaseRoute] = [
        Route(page.path, guarded(page, knocks), methods=[page.method]) for page in ROUTES
    ]
    made.append(Mount("/static", StaticFiles(packages=[("gateway.console", "static")])))
    return made


def wrapped(app: ASGIApp) -> ASGIApp:
    """`app` with the security headers on every answer, and a trace for every request.

    Around the whole app and no middleware of it: the answer to a crash is made outside of those.
    """
    return SecurityHeaders(Traced(app))
