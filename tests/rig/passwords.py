"""Quick passwords for houses full of accounts: a conftest that imports the fixture has them."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from gateway.people import accounts


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Argon2 is made to cost; where many accounts are made, that is not what is tried."""
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(accounts, "_hasher", quick)
        yield
