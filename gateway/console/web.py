"""The console as Starlette routes, middleware and error pages, for `compose` to put into one app.

The app must carry `state.parts`. Static files are served as they lie in the package; nothing comes
from another host.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.console import failures
from gateway.console.guard import guarded
from gateway.console.headers import SecurityHeaders
from gateway.console.routes import ROUTES

FORM_MAX = 1 << 20  # bytes; the longest form is a few fields of 20 000 characters

MIDDLEWARE: tuple[Middleware, ...] = (Middleware(SecurityHeaders),)
Handler = Callable[[Request, Exception], Response]
EXCEPTION_HANDLERS: Mapping[Any, Handler] = {
    404: failures.unforeseen,
    405: failures.unforeseen,
    413: failures.unforeseen,
    500: failures.unforeseen,
}


def pages() -> list[BaseRoute]:
    """A route for each row of the table, and the static files."""
    made: list[BaseRoute] = [
        Route(page.path, guarded(page), methods=[page.method], max_body_size=FORM_MAX)
        for page in ROUTES
    ]
    made.append(Mount("/static", StaticFiles(packages=[("gateway.console", "static")])))
    return made
