"""Passwords of these houses are hashed quickly: there are ten in each."""

from tests.rig.passwords import quick_passwords  # noqa: F401 - for every test here
