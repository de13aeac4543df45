"""A form as it comes in: of so many bytes and no more, and told where the disk has no room for it.

What is too large is refused by what it says of itself before anything of it is read, and else where
it goes beyond; never is more of it held than is taken.
"""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.types import Message, Receive

from gateway.errors import FULL, NoRoom, TooLarge
from gateway.numbers import natural

FORM_MAX = 1 << 20
"""Bytes; the longest form is a few fields of 20 000 characters."""


def bounded(receive: Receive, most: int) -> Receive:
    """`receive` that ends with TooLarge where more than `most` bytes come, whatever was said."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise TooLarge(most)
        return message

    return counted


async def form(request: Request, most: int) -> FormData:
    """The form; a file that came with it lies on the disk until the request is closed.

    Raises:
        TooLarge: it says so of itself, or goes on for longer than `most` bytes.
        NoRoom: the disk does not take it.
    """
    if (natural(request.headers.get("content-length", "")) or 0) > most:
        raise TooLarge(most)
    try:
        return await request.form()
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom from error
        raise
