"""For whoever watches the process or writes for it: alive, ready, the API, departments' contract.

No sign-in, and nothing here that would need one.
"""

from importlib.metadata import version

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import migrations
from gateway.api.openapi import document
from gateway.parts import Parts
from queueing import asyncapi


async def alive(_: Request) -> Response:
    """The process answers."""
    return JSONResponse({"alive": True})


def _faults(parts: Parts) -> list[str]:
    try:
        with parts.database.reading() as session:
            session.execute(text("SELECT 1"))
        found, newest = migrations.version(parts.database)
    except SQLAlchemyError:
        return ["数据库连不上。 The database cannot be reached."]
    if found != newest:
        return ["数据库版本不是最新，请运行 hotline db upgrade。 Run hotline db upgrade."]
    return []


async def ready(request: Request) -> Response:
    """The database answers and is of this version: work can be done. 503 says what is missing."""
    faults = await run_in_threadpool(_faults, request.app.state.parts)
    return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200)


async def contract(_: Request) -> Response:
    """The AsyncAPI document: what departments' systems are written from."""
    return JSONResponse(asyncapi.document(version("hotline-gateway")))


async def description(_: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(document())


ROUTES = (
    Route("/healthz", alive),
    Route("/readyz", ready),
    Route("/api/openapi.json", description),
    Route("/asyncapi.json", contract),
)
