"""A small HTTP client for the robots: JSON with a bearer token, and a browser's cookies.

It speaks to 127.0.0.1 alone, one request at a time, and knows nothing but HTTP.
"""

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    cookie: str = ""

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """Asks the gateway at `port`."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def json(
        self, method: str, path: str, token: str = "", body: dict[str, Any] | None = None
    ) -> Answer:
        """A JSON request under `/api/v1`, signed by `token`."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        sent = json.dumps(body).encode() if body is not None else None
        return await asyncio.to_thread(self._ask, method, "/api/v1" + path, sent, headers)

    async def sign_in(self, login: str, password: str) -> str:
        """A program's token for `login`."""
        answer = await self.json("POST", "/sessions", body={"login": login, "password": password})
        token: str = answer.data["token"]
        return token

    async def browse(self, path: str, cookie: str) -> Answer:
        """A page or file, as a browser that is signed in asks for it."""
        return await asyncio.to_thread(self._ask, "GET", path, None, {"Cookie": cookie})

    async def browser(self, login: str, password: str) -> str:
        """The cookie a browser gets that signs in as `login` on the page."""
        form = urlencode({"login": login, "password": password}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await asyncio.to_thread(self._ask, "POST", "/sign-in", form, headers)
        return answer.cookie

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]
            return Answer(response.status, response.read(), cookie)
        finally:
            connection.close()
