"""Files of tickets and forms over HTTP, to the console and to programs alike.

A file came from outside: it goes out to be saved (RFC 6266, `attachment`), with the type it was
taken in as, and no browser guesses another. A form is ours, and may be shown: under a policy that
lets it do nothing but look as it does. Neither is kept by what lies between (`no-store`), nor sent
in parts: a file is ten mebibytes at most. Who may have it was decided in `flow.handing` or
`flow.attaching` before anything comes here.
"""

import re
from pathlib import PurePath
from urllib.parse import quote

from starlette.responses import Response

from gateway.tickets import forms

_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


def saved(name: str, media_type: str, content: bytes) -> Response:
    """A file, to be saved under its name."""
    headers = {"Content-Disposition": f"attachment; {named(name)}"}
    if media_type == forms.MEDIA_TYPE:
        headers["Content-Security-Policy"] = forms.POLICY
    return _response(content, media_type, headers)


def shown(content: bytes) -> Response:
    """A form, in a window of its own."""
    return _response(content, forms.MEDIA_TYPE, {"Content-Security-Policy": forms.POLICY})


def named(name: str) -> str:
    """The name as a header says it: in UTF-8, and for what reads no UTF-8 there, its kind alone."""
    suffix = PurePath(name).suffix.lower()
    plain = f"file{suffix}" if _SUFFIX.fullmatch(suffix) else "file"
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _response(content: bytes, media_type: str, headers: dict[str, str]) -> Response:
    made = Response(content, headers={
        **headers, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
        "Accept-Ranges": "none",
    })  # fmt: skip
    text = "; charset=utf-8" if media_type.startswith("text/") else ""
    made.headers["Content-Type"] = media_type + text
    return made
