"""Signing in and out. A wrong password is counted and logged before it is told."""

from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from gateway.console import nav, render, words
from gateway.console.visit import TOKEN_COOKIE, Visit, split_url
from gateway.errors import HotlineError
from gateway.flow import log, signing
from gateway.people import accounts, sessions


def home(visit: Visit) -> Response:
    """GET /: where this person starts the day."""
    return RedirectResponse(nav.home(visit.person), 303)


def show(visit: Visit) -> Response:
    """GET /sign-in; who is signed in already goes home."""
    if visit.signed is not None:
        return home(visit)
    message = words.TOLD.get(visit.asked("done"), ("", ""))[1]
    return _form(visit, told=message, to=_own_path(visit.asked("to")))


def sign_in(visit: Visit) -> Response:
    """POST /sign-in."""
    login = visit.field("login").strip()
    judged = accounts.judge(visit.parts.database, login, visit.field("password"))
    with visit.parts.database.begin() as session:
        found = accounts.authenticate(session, judged, visit.now)
        if isinstance(found, HotlineError):
            signing.failed(session, login, at="console", origin=visit.origin, now=visit.now)
        else:
            opened = sessions.open_session(session, found, visit.now)
            _note(session, visit, "open", found.login)
    # Committed: the failure is counted and on record before it is told.
    if isinstance(found, HotlineError):
        return _form(visit, message=str(found), login=login, status=found.status)
    answer = RedirectResponse(_own_path(visit.field("to")) or nav.home(found), 303)
    answer.set_cookie(
        TOKEN_COOKIE,
        opened.token,
        httponly=True,
        samesite="strict",
        secure=visit.request.url.scheme == "https",
        path="/",
    )
    return answer


def sign_out(visit: Visit) -> Response:
    """POST /sign-out."""
    with visit.parts.database.begin() as session:
        sessions.close(session, visit.token, visit.now)
        _note(session, visit, "close", visit.person.login)
    answer = RedirectResponse("/sign-in?done=signed-out", 303)
    answer.delete_cookie(TOKEN_COOKIE, path="/")
    return answer


def _note(session: Session, visit: Visit, act: str, actor: str) -> None:
    log.note(
        session,
        f"people:session:{act}",
        actor=actor,
        origin=visit.origin,
        obj="console",
        outcome="ok",
        now=visit.now,
    )


def _form(
    visit: Visit,
    *,
    message: str = "",
    told: str = "",
    login: str = "",
    to: str = "",
    status: int = 200,
) -> Response:
    return render.page(
        visit,
        "pages/sign_in.html",
        status,
        message=message,
        told_before=told,
        login=login,
        to=to or _own_path(visit.field("to")),
    )


def _own_path(path: str) -> str:
    """`path` if it is a path of ours, else nothing: signing in sends nobody to another host."""
    ours = path.startswith("/") and not path.startswith("//") and not split_url(path).netloc
    return path if ours and path.isprintable() and "\\" not in path else ""
