"""Hands every test the real servers of the rig."""

pytest_plugins = ["tests.rig.fixtures"]
