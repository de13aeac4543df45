"""`/metrics`: the figures of queueing for Prometheus, and for nobody who need not read them.

Who reads: with `HOTLINE_METRICS_TOKEN` set, whoever shows it as a bearer token; without, whoever
asks from this machine itself and not through a proxy (what a proxy forwards says so in a header).
"""

import hmac
from ipaddress import ip_address

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.flow import exposition, metrics
from gateway.parts import Parts

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
NOT_YOURS = (
    "指标只供本机读取；由别处或经代理读取，请设 HOTLINE_METRICS_TOKEN 并以 Bearer 令牌访问。 "
    "Figures are read from this machine alone; elsewhere, or through a proxy, set "
    "HOTLINE_METRICS_TOKEN and show it as a bearer token.\n"
)


async def figures(request: Request) -> Response:
    """The exposition; 403 says who may read it."""
    parts: Parts = request.app.state.parts
    if not _may(request, parts.settings.metrics_token):
        return PlainTextResponse(NOT_YOURS, 403)
    text = await run_in_threadpool(_text, parts)
    return Response(text, headers={"Content-Type": exposition.CONTENT_TYPE})


def _may(request: Request, token: str) -> bool:
    if token:
        shown = request.headers.get("authorization", "")
        return hmac.compare_digest(shown.encode(), f"Bearer {token}".encode())
    if any(name in request.headers for name in FORWARDED) or request.client is None:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _text(parts: Parts) -> str:
    with parts.database.reading() as session:
        return exposition.text(
            metrics.families(session, parts.clock(), broker=bool(parts.settings.broker_url))
        )


ROUTES = (Route("/metrics", figures),)
