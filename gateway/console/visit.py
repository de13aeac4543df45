"""A visit: one request for a page, who makes it, and what they typed.

Handlers are given a visit and nothing else. It reads the request and the clock once, so that all
that a handler does carries one time. It decides nothing: whether the visitor may be here, `guard`
has decided before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request

from gateway.errors import NotFound, NotSignedIn
from gateway.numbers import natural
from gateway.parts import Parts
from gateway.people.accounts import Person
from gateway.people.sessions import Signed

TOKEN_COOKIE = "hotline_session"  # noqa: S105 - the cookie's name, not its value
CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `now` is in µs since the epoch; `form` is empty for safe methods."""

    request: Request
    parts: Parts
    signed: Signed | None
    form: FormData
    now: int

    @property
    def person(self) -> Person:
        """Who is here.

        Raises:
            NotSignedIn: nobody is (a public page asked for a person).
        """
        if self.signed is None:
            raise NotSignedIn
        return self.signed.person

    @property
    def csrf(self) -> str:
        """The token that this person's forms carry; empty on public pages."""
        return self.signed.csrf if self.signed else ""

    @property
    def token(self) -> str:
        """The session's token as the browser sent it."""
        return self.request.cookies.get(TOKEN_COOKIE, "")

    @property
    def origin(self) -> str:
        """Where the request came from, for the log: the peer's address."""
        return self.request.client.host if self.request.client else "-"

    @property
    def by_htmx(self) -> bool:
        """Whether htmx asks for a piece of a page, rather than the browser for a whole one."""
        return self.request.headers.get("HX-Request") == "true"

    def field(self, name: str) -> str:
        """What was typed into `name`; empty when it was not sent."""
        value = self.form.get(name, "")
        return _storable(value) if isinstance(value, str) else ""

    def several(self, name: str) -> list[str]:
        """Every value that was chosen for `name`."""
        return [_storable(value) for value in self.form.getlist(name) if isinstance(value, str)]

    def fields(self, names: Iterable[str]) -> Mapping[str, str]:
        """Those of `names` that were sent, as typed."""
        return {name: self.field(name) for name in names if name in self.form}

    def asked(self, name: str) -> str:
        """A parameter of the query string; empty when it is not there."""
        return _storable(self.request.query_params.get(name, ""))

    def named(self, name: str) -> str:
        """The path's parameter `name`, a number that people are told."""
        return _storable(str(self.request.path_params[name]))

    def number(self, name: str) -> int:
        """The path's parameter `name`, a row's id.

        Raises:
            NotFound: no row can have it.
        """
        return row_id(str(self.request.path_params[name]))


def _storable(text: str) -> str:
    """`text` without what no database takes and nobody types: NUL, and halves of surrogate pairs,
    which a form in a made-up character set can hold."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def split_url(url: str) -> SplitResult:
    """`url` taken apart; all of it empty where it is none, such as `http://[`."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def row_id(text: str) -> int:
    """`text` as a row's id, from 1.

    Raises:
        NotFound: it is no such number.
    """
    number = natural(text)
    if not number:
        raise NotFound
    return number


def page_number(text: str) -> int:
    """`text` as the number of a page, from 1; 1 where it is none."""
    return natural(text) or 1


def grant_asked(visit: Visit) -> int:
    """The grant that the address names; 0, which is nobody's, where it names none.

    Who tries to listen without a grant is refused and on record, like everybody who may not.
    """
    return natural(visit.asked("grant")) or 0


def play_asked(visit: Visit) -> int:
    """The play that the address names; 0, which is nobody's, where it names none."""
    return natural(visit.asked("play")) or 0
