"""Hands every test the real servers of the rig, and keyrings that cost no quarter of a GiB each."""

from recordings import passphrase

pytest_plugins = ["tests.rig.fixtures"]

passphrase.WORK = 10
"""A keyring made here opens in a millisecond; the real work is tried by the command itself."""
