"""The hotline's own account at the broker, its address in a file as a mounted secret is.

`url` reads the file each time it is asked, as the gateway does before each connection.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from tests.rig.rabbitmq import Broker

USER = "hotline"


def make(broker: Broker, vhost: str) -> None:
    """An account with every right in one virtual host, and its file."""
    name = f'<<"{USER}">>'
    known = f"rabbit_auth_backend_internal:exists({name})"
    add = f'rabbit_auth_backend_internal:add_user({name}, <<"x">>, <<"test">>)'
    broker.ask(f"case {known} of true -> ok; false -> {add} end")
    rights = '<<".*">>, <<".*">>, <<".*">>, <<"test">>'
    broker.ask(f'rabbit_auth_backend_internal:set_permissions({name}, <<"{vhost}">>, {rights})')
    with changing(broker):
        pass


@contextmanager
def changing(broker: Broker) -> Iterator[None]:
    """A new password: at the broker before the block, in the file after it."""
    password = secrets.token_hex(8)
    change = "rabbit_auth_backend_internal:change_password"
    broker.ask(f'{change}(<<"{USER}">>, <<"{password}">>, <<"test">>)')
    yield
    (broker.directory / "password").write_text(password)


def url(broker: Broker, vhost: str, port: int = 0) -> str:
    """The address as it is now; at another `port`, a proxy's."""
    password = (broker.directory / "password").read_text()
    at = broker.url_as(USER, password, vhost)
    return at.replace(f":{broker.port}/", f":{port or broker.port}/")
