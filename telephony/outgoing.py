"""The names of the calls we place: unique ids that the PBX is told, and never makes up itself.

`Originate` takes the id of the channel it makes (`ChannelId`), so a call is known by name before
the PBX has heard of it. Ours are `hotline-` and 24 hexadecimal digits. The PBX's own always hold a
dot (epoch.sequence, whatever its system name), so none of them is taken for one of ours. Pure: the
random digits are an argument.
"""

import re
from typing import Final

TOKEN_BYTES: Final = 12
_OURS: Final = re.compile(r"hotline-[0-9a-f]{24}")


def uniqueid_of(token: bytes) -> str:
    """The id of a call we place; `token` is `TOKEN_BYTES` random bytes."""
    if len(token) != TOKEN_BYTES:
        raise ValueError("token")
    return f"hotline-{token.hex()}"


def is_outgoing(uniqueid: str) -> bool:
    """Whether this channel is the first of a call we placed."""
    return _OURS.fullmatch(uniqueid) is not None
