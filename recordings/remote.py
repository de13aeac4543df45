"""One HTTP request to a server of somebody else's: bounded in time and in size.

TLS is verified by the system's authorities.  What always holds: `post` ends within `DEADLINE_S` and
a few seconds, and never holds more than `LIMIT` bytes of an answer.
"""

import http.client
import time
from urllib.parse import urlsplit

from recordings.errors import PlaceFailed

WAIT_S = 5.0
DEADLINE_S = 15.0
LIMIT = 64 * 1024


def post(url: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer; raises PlaceFailed where there is none to use."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=WAIT_S)
    try:
        connection.request("POST", parts.path or "/", body, {"Content-Type": "text/plain"})
        response = connection.getresponse()
        return response.status, _read(response)
    except (OSError, http.client.HTTPException) as error:
        raise PlaceFailed(
            f"{parts.hostname} 无应答（{type(error).__name__}）。 {parts.hostname} does not answer."
        ) from error
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse) -> bytes:
    found, until = bytearray(), time.monotonic() + DEADLINE_S
    while piece := response.read1(LIMIT):
        found += piece
        if len(found) > LIMIT or time.monotonic() > until:
            raise PlaceFailed("应答过大或过慢。 The answer is too large or too slow.")
    return bytes(found)
