"""Where a PBX is and which account to use: `ami://user:secret@host:5038`, or `amis://` with TLS.

The secret is in no repr and no message. User and secret are percent-decoded, so that any character
can be written. Pure.
"""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from telephony.errors import AddressError


@dataclass(frozen=True, slots=True)
class Address:
    """One manager interface and the account on it."""

    host: str
    port: int
    user: str
    secret: str = field(repr=False)
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Reads the URL; `AddressError` names the part that is wrong."""
        try:
            parts = urlsplit(url)
            port = parts.port or (5039 if parts.scheme == "amis" else 5038)
        except ValueError:
            raise _wrong("端口", "port") from None
        if parts.scheme not in {"ami", "amis"}:
            raise _wrong("协议", "scheme")
        if not parts.hostname:
            raise _wrong("主机", "host")
        user, secret = unquote(parts.username or ""), unquote(parts.password or "")
        if not user or not secret or not (user + secret).isprintable():
            raise _wrong("账号或口令", "user or secret")
        return cls(parts.hostname, port, user, secret, tls=parts.scheme == "amis")


def _wrong(what: str, part: str) -> AddressError:
    return AddressError(
        f"PBX 地址的{what}有误，应为 ami://账号:口令@主机:5038。"
        f" The PBX address has a wrong {part}: write ami://user:secret@host:5038."
    )
