"""What went wrong, told to a person: Chinese and English, and what to do next.

A browser gets a page; htmx gets a message in its own place, beside what was typed, which stays as
it is. Who is not signed in is sent to the sign-in page and back. An error that nobody foresaw says
that it was ours, and its cause goes to the program's own log, not to the page.
"""

import json
import logging
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.console import render, words
from gateway.console.visit import Visit, split_url
from gateway.errors import BadInput, HotlineError, NotSignedIn, WrongPassword

logger = logging.getLogger(__name__)

NOT_FOUND = "没有这个页面。 There is no such page."
WRONG_METHOD = "不能这样打开这个地址。 This address cannot be opened like this."
CRASHED = (
    "程序出错了，已记录；请重试，若仍不行请告知管理员。 "
    "Something went wrong on our side and is noted; try again, or tell the administrator."
)
UNFORESEEN = {404: NOT_FOUND, 405: WRONG_METHOD}


def told(visit: Visit, error: HotlineError) -> Response:
    """The answer to `error`, as a page or as a message in the page."""
    if isinstance(error, NotSignedIn) and not isinstance(error, WrongPassword):
        return _sign_in(visit)
    if visit.by_htmx:
        return message(error)
    return _page(error.status, text(error))


def text(error: HotlineError) -> str:
    """What `error` says, with the fields by the names that people know them by."""
    if not isinstance(error, BadInput):
        return str(error)
    zh, en = [], []
    for name, problem in error.fields.items():
        field_zh, field_en = words.FIELD_NAMES.get(name, (name, name))
        problem_zh, problem_en = render.two_tongues(problem)
        zh.append(f"{field_zh}：{problem_zh.rstrip('。')}")
        en.append(f"{field_en}: {problem_en.rstrip('.')}")
    return f"{'；'.join(zh)}。 {'; '.join(en)}."


def message(error: HotlineError) -> Response:
    """A message beside what was typed: shown as a toast, each bad field marked in its place."""
    problems = error.fields if isinstance(error, BadInput) else {}
    return HTMLResponse(
        render.flash(text(error), "bad"),
        error.status,
        headers={
            "HX-Retarget": "#toast",
            "HX-Reswap": "innerHTML",
            "HX-Trigger": json.dumps(
                {"problems": {name: render.two_tongues(p)[0] for name, p in problems.items()}}
            ),
        },
    )


def unforeseen(request: Request, error: Exception) -> Response:
    """The page for what no handler answered: an unknown address, a crash.

    For `Starlette(exception_handlers=…)`; its signature is Starlette's.
    """
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 500:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _page(status, UNFORESEEN.get(status, CRASHED))


def _page(status: int, words_told: str) -> Response:
    zh_en = render.two_tongues(words_told)
    return HTMLResponse(render.html("pages/error.html", status=status, message=zh_en), status)


def _sign_in(visit: Visit) -> Response:
    if visit.by_htmx:
        here = split_url(visit.request.headers.get("HX-Current-URL", "")).path or "/"
        return Response(status_code=401, headers={"HX-Redirect": _back_to(here)})
    if visit.request.method != "GET":
        return _page(401, str(NotSignedIn()))
    return RedirectResponse(_back_to(visit.request.url.path), 303)


def _back_to(path: str) -> str:
    # Only the path goes along: a query may hold what was looked for.
    return "/sign-in" if path == "/" else f"/sign-in?done=ended&to={quote(path)}"
