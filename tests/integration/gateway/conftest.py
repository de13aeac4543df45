"""Passwords of these houses are hashed quickly: there are ten in each."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from gateway.people import accounts


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Argon2 is made to cost; what is tried here is not how much."""
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(accounts, "_hasher", quick)
        yield
